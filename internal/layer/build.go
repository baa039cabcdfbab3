package layer

import (
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/tree"
)

// builder makes a change set of what was read.
type builder struct {
	root   *node
	inodes []*inode // those that may have several names
}

func build(root *node) (tree.ChangeSet, error) {
	if root.state == absent {
		return tree.ChangeSet{}, nil
	}
	b := &builder{root: root}
	d, err := b.directory(root, "/")
	if err != nil {
		return tree.ChangeSet{}, err
	}
	cs := tree.ChangeSet{Root: d}
	for _, i := range b.inodes {
		if len(i.names) > 1 {
			slices.SortFunc(i.names, tree.ComparePaths)
			cs.Links = append(cs.Links, i.names)
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
	if i.to != nil {
		return tree.Hardlink{To: "/" + strings.Join(i.to, "/")}, nil
	}
	if i.many {
		if len(i.names) == 0 {
			b.inodes = append(b.inodes, i)
		}
		i.names = append(i.names, prefix+name)
	}
	if i.file != nil {
		return tree.Put{Entry: *i.file}, nil
	}
	return tree.Put{Entry: i.entry}, nil
}

// resolve gives what a hardlink is that was met before its target: an inode of
// the layer or, when to is set in it, one of the layers below.
func (b *builder) resolve(i *inode) (*inode, error) {
	if i.to == nil {
		return i, nil
	}
	if i.resolved != nil {
		return i.resolved, nil
	}
	bad := func(format string, args ...any) (*inode, error) {
		target := quote(strings.Join(i.to, "/"))
		return nil, &EntryError{i.header, malformed("it is a hardlink to %s, "+format, append([]any{target}, args...)...)}
	}
	if i.waiting {
		return bad("which is a hardlink to it")
	}
	i.waiting = true
	n, below := b.root.find(i.to)
	switch {
	case n == nil && below:
		i.resolved = i
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
	to.many = true
	i.resolved = to
	return to, nil
}
