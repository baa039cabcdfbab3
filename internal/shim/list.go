package shim

import (
	"context"
	"fmt"
	"path"
	"slices"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/tree"
)

// Where tells where the bytes of a digest are. It is asked for files that are not
// empty.
type Where func(ctx context.Context, d digest.Digest) (Content, error)

// List gives changes that make b of a, where a stands in a directory. Of a change set
// c, b is compose.Patch(a, c). What only has other attributes is not written again.
// The root is always given its attributes: a fresh mount of a is new there. No changes
// are none at all.
//
// It costs what differs, and for the hardlink groups that differ the directories that
// lead to their names.
func List(ctx context.Context, a, b tree.Tree, where Where) (Changes, error) {
	c, err := compose.Diff(ctx, a, b)
	if err != nil || c.Root == nil {
		return nil, err
	}
	l := &lister{ctx: ctx, a: a, where: where, groups: map[string]*inode{}}
	for _, names := range c.Links {
		g := &inode{}
		for _, p := range names {
			l.groups[p] = g
		}
	}
	if err := l.choose(c.Links, b); err != nil {
		return nil, err
	}
	if err := l.dir("/", c.Root, a, b); err != nil {
		return nil, err
	}
	for _, names := range c.Links {
		if err := l.link(names); err != nil {
			return nil, err
		}
	}
	if root := (SetAttr{"/", b.Attr()}); !slices.Contains(l.final, Change(root)) {
		l.final = append(l.final, root)
	}
	return append(append(l.list, l.links...), l.final...), nil
}

type lister struct {
	ctx    context.Context // of the one call of List that made it
	a      tree.Tree
	where  Where
	groups map[string]*inode // of names whose groups lead out of what is put

	list, links, final Changes
}

// inode is a hardlink group of b.
type inode struct {
	leader string // the name that is made or stays: others are linked to it
}

// choose makes names leaders whose inodes can stay.
func (l *lister) choose(groups [][]string, b tree.Tree) error {
	for _, names := range groups {
		e, err := b.Lookup(l.ctx, names[0])
		if err != nil {
			return err
		}
		g := l.groups[names[0]]
		for _, p := range names {
			was, err := l.a.Lookup(l.ctx, p)
			if tree.IsNotExist(err) {
				continue
			}
			if err != nil {
				return err
			}
			same, err := l.stays(p, was, e, g)
			if err != nil {
				return err
			}
			if same {
				g.leader = p
				break
			}
		}
	}
	return nil
}

// link lists what makes one inode of the names of a group. Those that are one with
// its leader already come last: overlayfs may break that as the leader is changed or
// linked, and it is only seen then.
func (l *lister) link(names []string) error {
	leader := l.groups[names[0]].leader
	were := map[string]bool{}
	if _, err := l.a.Lookup(l.ctx, leader); err == nil {
		group, err := l.a.LinkGroup(l.ctx, leader)
		if err != nil {
			return err
		}
		for _, p := range group {
			were[p] = true
		}
	} else if !tree.IsNotExist(err) {
		return err
	}
	for _, old := range []bool{false, true} {
		for _, p := range names {
			if p != leader && were[p] == old {
				l.links = append(l.links, Link{p, leader})
			}
		}
	}
	return nil
}

// dir lists the change of a directory that is one in both trees.
func (l *lister) dir(at string, c *tree.DirChange, a, b tree.Tree) error {
	written := c.Attr != nil
	for name, ch := range c.All() {
		if err := l.ctx.Err(); err != nil {
			return err
		}
		p := path.Join(at, name)
		was, _, err := a.Get(l.ctx, name)
		if err != nil {
			return err
		}
		switch ch := ch.(type) {
		case tree.Remove:
			l.list = append(l.list, Remove{p})
			written = true
		case tree.Put:
			written = true
			err = l.put(p, was, ch.Entry)
		case *tree.DirChange:
			now, _, err2 := b.Get(l.ctx, name)
			x, ok1 := was.(tree.Tree)
			y, ok2 := now.(tree.Tree)
			if err = err2; err == nil && (!ok1 || !ok2) {
				err = fmt.Errorf("list the changes of %s: %w", p, tree.ErrNotDirectory)
			}
			if err == nil {
				err = l.dir(p, ch, x, y)
			}
		}
		if err != nil {
			return err
		}
	}
	if written {
		l.final = append(l.final, SetAttr{at, b.Attr()})
	}
	return nil
}

// put lists what makes the path p an entry, where was stands, or nothing.
func (l *lister) put(p string, was, e tree.Entry) error {
	t, ok := e.(tree.Tree)
	if !ok {
		return l.leaf(p, was, e)
	}
	if was != nil && was.Kind() == tree.KindDirectory {
		l.list = append(l.list, Remove{p})
	}
	for it, err := range tree.Walk(l.ctx, t, tree.WalkOptions{}) {
		if err != nil {
			return err
		}
		at := path.Join(p, it.Path)
		if it.Entry.Kind() == tree.KindDirectory {
			l.list = append(l.list, MakeDir{at, it.Entry.Attr()})
			continue
		}
		if it.Link != nil && l.groups[at] == nil && it.Link.First != it.Path {
			l.links = append(l.links, Link{at, path.Join(p, it.Link.First)})
			continue
		}
		if err := l.leaf(at, nil, it.Entry); err != nil {
			return err
		}
	}
	return nil
}

// leaf lists what makes the path p an entry that is no directory.
func (l *lister) leaf(p string, was, e tree.Entry) error {
	g := l.groups[p]
	if g == nil {
		g = &inode{}
	}
	if g.leader != "" && g.leader != p {
		return nil // it will be linked
	}
	same, err := l.stays(p, was, e, g)
	if err != nil {
		return err
	}
	g.leader = p
	if same {
		if was.Attr() != e.Attr() {
			l.list = append(l.list, SetAttr{p, e.Attr()})
		}
		return nil
	}
	from, err := l.content(p, e)
	if err != nil {
		return err
	}
	l.list = append(l.list, Put{p, e, from})
	return nil
}

// stays tells whether the inode at a path can become that of the group: it has the
// same content, and no name that will be of another inode.
func (l *lister) stays(p string, was, e tree.Entry, g *inode) (bool, error) {
	if was == nil || was.Kind() == tree.KindDirectory || was.Kind() != e.Kind() || was.WithAttr(e.Attr()) != e {
		return false, nil
	}
	names, err := l.a.LinkGroup(l.ctx, p)
	if err != nil {
		return false, err
	}
	for _, n := range names {
		if n != p && l.groups[n] != g {
			return false, nil
		}
	}
	return true, nil
}

func (l *lister) content(p string, e tree.Entry) (Content, error) {
	f, ok := e.(tree.File)
	if !ok || f.Size == 0 {
		return nil, nil
	}
	c, err := l.where(l.ctx, f.Content)
	if err == nil && c == nil {
		err = fmt.Errorf("%s is nowhere", f.Content)
	}
	if err != nil {
		return nil, fmt.Errorf("what %s holds: %w", p, err)
	}
	return c, nil
}
