package layer

import (
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/tree"
)

// builder makes a change set of what was read.
type builder struct {
	root   *node
	linked []*links // of the inodes that may have several names
}

// build makes a change set of all that root has, and empties it. forward tells
// that there are hardlinks that came before their targets.
func build(root *node, forward bool) (tree.ChangeSet, error) {
	if root.state == absent {
		return tree.ChangeSet{}, nil
	}
	b := &builder{root: root}
	if forward {
		if err := b.resolveBelow(root); err != nil {
			return tree.ChangeSet{}, err
		}
	}
	d, err := b.directory(root, "/")
	if err != nil {
		return tree.ChangeSet{}, err
	}
	cs := tree.ChangeSet{Root: d}
	for _, l := range b.linked {
		if len(l.names) > 1 {
			slices.SortFunc(l.names, tree.ComparePaths)
			cs.Links = append(cs.Links, l.names)
		}
	}
	slices.SortFunc(cs.Links, func(x, y []string) int { return tree.ComparePaths(x[0], y[0]) })
	return cs, nil
}

// directory gives the change of a directory; prefix is its path and a slash.
func (b *builder) directory(n *node, prefix string) (*tree.DirChange, error) {
	d := &tree.DirChange{Attr: n.attr, Opaque: n.opaque || n.removed}
	if n.removed && n.attr == nil {
		// The one below is gone, and this one is new.
		a := tree.Empty().Attr()
		d.Attr = &a
	}
	for name, k := range n.kids {
		switch k.state {
		case absent:
			if k.removed {
				d.Set(name, tree.Remove{})
			}
		case directory:
			sub, err := b.directory(k, prefix+name+"/")
			if err != nil {
				return nil, err
			}
			d.Set(name, sub)
		case other:
			c, err := b.leaf(k.inode, prefix, name)
			if err != nil {
				return nil, err
			}
			d.Set(name, c)
		}
	}
	n.kids = nil
	return d, nil
}

func (b *builder) leaf(i *inode, prefix, name string) (tree.Change, error) {
	i, err := b.resolve(i)
	if err != nil {
		return nil, err
	}
	if l := i.links; l != nil {
		if l.to != nil {
			return tree.Hardlink{To: "/" + strings.Join(l.to, "/")}, nil
		}
		if len(l.names) == 0 {
			b.linked = append(b.linked, l)
		}
		l.names = append(l.names, prefix+name)
	}
	return tree.Put{Entry: i.entry}, nil
}

// resolveBelow resolves all hardlinks, so that all inodes that have several
// names are known as such.
func (b *builder) resolveBelow(n *node) error {
	for _, k := range n.kids {
		var err error
		switch k.state {
		case directory:
			err = b.resolveBelow(k)
		case other:
			_, err = b.resolve(k.inode)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// resolve gives what a hardlink is that was met before its target: an inode of
// the layer or, when to is set in it, one of the layers below.
func (b *builder) resolve(i *inode) (*inode, error) {
	l := i.links
	switch {
	case l == nil || l.to == nil:
		return i, nil
	case l.resolved != nil:
		return l.resolved, nil
	}
	bad := func(why string) (*inode, error) {
		return nil, &EntryError{l.header, malformed("it is a hardlink to %s, %s", quote(strings.Join(l.to, "/")), why)}
	}
	if l.waiting {
		return bad("which is a hardlink to it")
	}
	l.waiting = true
	n, below := b.root.find(l.to)
	switch {
	case n == nil && below:
		l.resolved = i
		return i, nil
	case n == nil:
		return bad("which is not there")
	case n.state == directory:
		return bad("which is a directory")
	case n.state == absent:
		return bad("which this layer removes")
	}
	to, err := b.resolve(n.inode)
	if err != nil {
		return nil, err
	}
	to.linked()
	l.resolved = to
	return to, nil
}
