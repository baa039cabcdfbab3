package layer

import (
	"context"
	"io"

	"github.com/inlaybuild/inlay/tree"
)

// ReadTree gives the tree that a plain tar holds. It is as [Read], except that
// names that start with ".wh." mean nothing, and that hardlinks must lead to
// names of the tar. Directories without entries get [tree.Empty]'s attributes.
func ReadTree(ctx context.Context, r io.Reader, o ReadOptions) (tree.Tree, Stats, error) {
	o.plain = true
	cs, stats, err := Read(ctx, r, o)
	if err != nil {
		return tree.Tree{}, stats, err
	}
	d := tree.NewDraft(tree.Empty())
	if cs.Root != nil {
		if err := fill(d, cs.Root, ""); err != nil {
			return tree.Tree{}, stats, err
		}
	}
	for _, g := range cs.Links {
		d.Link(g...)
	}
	t, err := d.Tree(ctx)
	return t, stats, err
}

func fill(d *tree.Draft, c *tree.DirChange, path string) error {
	if c.Attr != nil {
		d.SetAttr(*c.Attr)
	}
	for name, k := range c.All() {
		switch k := k.(type) {
		case tree.Put:
			d.Put(name, k.Entry)
		case *tree.DirChange:
			if err := fill(d.MakeDir(name, tree.Empty().Attr()), k, path+"/"+name); err != nil {
				return err
			}
		case tree.Hardlink:
			return &EntryError{path + "/" + name, malformed("it is a hardlink to %s, which is not there", quote(k.To))}
		}
	}
	return nil
}
