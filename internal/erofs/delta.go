package erofs

import (
	"context"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/tree"
)

// Delta is what differs between two trees, as an image to be stacked on one of
// the older. See [NewDelta].
type Delta struct {
	root  *deltaDir
	links map[string]*tree.Link
	count int
}

// Len is the number of nodes, about.
func (d *Delta) Len() int { return d.count }

// deltaDir is a directory of a delta. It is a directory of the new tree too, and
// has its attributes.
type deltaDir struct {
	dir   tree.Tree
	names map[string]any
}

// What names of a deltaDir are: a *deltaDir, a tree.Entry (a tree.Tree is put
// with all that it holds, and hides what lies below), or a whiteout.
type whiteout struct{}

// NewDelta gives the image's nodes that make from of to when they are stacked
// on it; c is the difference from the one to the other. The trees are looked
// into where c says that something happens, and where names of one inode are on
// both sides: overlayfs knows no hardlinks between layers, so an inode of which
// one name changed goes into the delta with all its names.
//
// More than most nodes are refused with [ErrTooLarge]. It costs about three
// microseconds a node.
func NewDelta(ctx context.Context, from, to tree.Tree, c tree.ChangeSet, most int) (*Delta, error) {
	b := &deltaBuilder{ctx: ctx, from: from, to: to, most: most, done: map[string]bool{}}
	b.d = &Delta{root: &deltaDir{dir: to, names: map[string]any{}}, links: map[string]*tree.Link{}, count: 1}
	if c.Root != nil {
		if c.Root.Opaque {
			return nil, ErrTooLarge
		}
		if err := b.fill(b.d.root, from, to, c.Root, ""); err != nil {
			return nil, err
		}
	}
	for len(b.todo) > 0 {
		p := b.todo[len(b.todo)-1]
		b.todo = b.todo[:len(b.todo)-1]
		if err := b.whole(p); err != nil {
			return nil, err
		}
	}
	return b.d, nil
}

type deltaBuilder struct {
	ctx      context.Context // of the one call of NewDelta that made it
	from, to tree.Tree
	most     int
	d        *Delta
	todo     []string        // names of to whose groups must be whole
	done     map[string]bool // names of to whose groups are known
}

func (b *deltaBuilder) add(n int) error {
	if b.d.count += n; b.d.count > b.most {
		return ErrTooLarge
	}
	return nil
}

// fill puts into d what happens in a directory that both trees have.
func (b *deltaBuilder) fill(d *deltaDir, from, to tree.Tree, c *tree.DirChange, at string) error {
	for name, change := range c.All() {
		p := at + "/" + name
		old, had, err := from.Get(b.ctx, name)
		if err != nil {
			return err
		}
		now, has, err := to.Get(b.ctx, name)
		if err != nil {
			return err
		}
		oldDir, wasDir := old.(tree.Tree)
		nowDir, isDir := now.(tree.Tree)
		if sub, ok := change.(*tree.DirChange); ok && !sub.Opaque && wasDir && isDir {
			k := &deltaDir{dir: nowDir, names: map[string]any{}}
			d.names[name] = k
			if err := b.add(1); err != nil {
				return err
			}
			if err := b.fill(k, oldDir, nowDir, sub, p); err != nil {
				return err
			}
			continue
		}
		if had {
			if err := b.leave(old, p); err != nil {
				return err
			}
		}
		if !has {
			if had {
				d.names[name] = whiteout{}
			}
			if err := b.add(1); err != nil {
				return err
			}
			continue
		}
		if err := b.put(d, name, now, p); err != nil {
			return err
		}
	}
	return nil
}

// put puts an entry of the new tree, with all that it holds.
func (b *deltaBuilder) put(d *deltaDir, name string, e tree.Entry, p string) error {
	d.names[name] = e
	if err := b.add(1); err != nil {
		return err
	}
	t, ok := e.(tree.Tree)
	if !ok {
		b.todo = append(b.todo, p)
		return nil
	}
	if t.Count() > int64(b.most) {
		return ErrTooLarge
	}
	if err := b.add(int(t.Count())); err != nil {
		return err
	}
	return b.each(t, p, func(q string) error {
		b.todo = append(b.todo, q)
		return nil
	})
}

// leave sees to the inodes that lose a name: those that are left of them in the
// new tree have one less.
func (b *deltaBuilder) leave(e tree.Entry, p string) error {
	if t, ok := e.(tree.Tree); ok {
		if t.Count() > int64(b.most) {
			return ErrTooLarge
		}
		return b.each(t, p, b.leaveName)
	}
	return b.leaveName(p)
}

func (b *deltaBuilder) leaveName(p string) error {
	group, err := b.from.LinkGroup(b.ctx, p)
	if err != nil || len(group) == 1 {
		return err
	}
	for _, q := range group {
		e, err := lookup(b.ctx, b.to, q)
		if err != nil {
			return err
		}
		if _, isDir := e.(tree.Tree); e != nil && !isDir {
			b.todo = append(b.todo, q)
		}
	}
	return nil
}

// each calls f for all below t that are not directories.
func (b *deltaBuilder) each(t tree.Tree, p string, f func(string) error) error {
	for it, err := range tree.Walk(b.ctx, t, tree.WalkOptions{}) {
		if err != nil {
			return err
		}
		if it.Entry.Kind() == tree.KindDirectory {
			continue
		}
		if err := f(p + it.Path); err != nil {
			return err
		}
	}
	return nil
}

// whole puts the name p of the new tree, if the delta has it not yet, and all
// others of its inode.
func (b *deltaBuilder) whole(p string) error {
	if b.done[p] {
		return nil
	}
	group, err := b.to.LinkGroup(b.ctx, p)
	if err != nil {
		return err
	}
	var link *tree.Link
	if len(group) > 1 {
		link = &tree.Link{First: group[0], Names: len(group)}
	}
	for _, q := range group {
		b.done[q] = true
		if link != nil {
			b.d.links[q] = link
		}
		if err := b.ensure(q); err != nil {
			return err
		}
	}
	return nil
}

// ensure puts the name p, and the directories that lead to it, if they are not
// there.
func (b *deltaBuilder) ensure(p string) error {
	d := b.d.root
	for rest := p[1:]; ; {
		name, below, deeper := strings.Cut(rest, "/")
		switch k := d.names[name].(type) {
		case *deltaDir:
			d, rest = k, below
			continue
		case tree.Entry:
			return nil
		}
		e, _, err := d.dir.Get(b.ctx, name)
		if err != nil {
			return err
		}
		if err := b.add(1); err != nil {
			return err
		}
		t, isDir := e.(tree.Tree)
		if !deeper || !isDir {
			if e != nil {
				d.names[name] = e
			}
			return nil
		}
		k := &deltaDir{dir: t, names: map[string]any{}}
		d.names[name] = k
		d, rest = k, below
	}
}

// lookup gives what a path stands for, no symlink followed; nil for nothing.
func lookup(ctx context.Context, t tree.Tree, p string) (tree.Entry, error) {
	for rest := strings.Trim(p, "/"); ; {
		name, below, deeper := strings.Cut(rest, "/")
		e, _, err := t.Get(ctx, name)
		if err != nil || !deeper {
			return e, err
		}
		sub, ok := e.(tree.Tree)
		if !ok {
			return nil, nil
		}
		t, rest = sub, below
	}
}

// Nodes gives the nodes of the delta, for [Write].
func (d *Delta) Nodes(ctx context.Context) iter.Seq2[Node, error] {
	return func(yield func(Node, error) bool) {
		if yield(Node{Path: "/", Entry: d.root.dir}, nil) {
			d.yield(ctx, d.root, "/", yield)
		}
	}
}

func (d *Delta) yield(ctx context.Context, at *deltaDir, prefix string, yield func(Node, error) bool) bool {
	for _, name := range slices.Sorted(maps.Keys(at.names)) {
		p := prefix + name
		switch k := at.names[name].(type) {
		case whiteout:
			if !yield(Node{Path: p}, nil) {
				return false
			}
		case *deltaDir:
			if !yield(Node{Path: p, Entry: k.dir}, nil) || !d.yield(ctx, k, p+"/", yield) {
				return false
			}
		case tree.Tree:
			for it, err := range tree.Walk(ctx, k, tree.WalkOptions{}) {
				q := p
				if it.Path != "/" {
					q += it.Path
				}
				if !yield(Node{Path: q, Entry: it.Entry, Link: d.links[q], Opaque: it.Path == "/"}, err) || err != nil {
					return false
				}
			}
		case tree.Entry:
			if !yield(Node{Path: p, Entry: k, Link: d.links[p]}, nil) {
				return false
			}
		}
	}
	return true
}
