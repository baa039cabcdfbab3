package compose

import (
	"context"

	"github.com/inlaybuild/inlay/tree"
)

// Merge lays the trees over one another, later ones over earlier ones, exactly
// as unpacking them as layers in that order would: names and attributes of the
// later win, directories merge, a directory replaces a symlink. The root has the
// last tree's attributes. The empty list gives [tree.Empty].
func Merge(ctx context.Context, trees ...tree.Tree) (tree.Tree, error) {
	if len(trees) == 0 {
		return tree.Empty(), nil
	}
	t := trees[0]
	for _, over := range trees[1:] {
		d := tree.NewDraft(t)
		if err := layOver(ctx, d, over, enough); err != nil {
			return tree.Tree{}, err
		}
		var err error
		if t, err = d.Tree(ctx); err != nil {
			return tree.Tree{}, err
		}
	}
	return t, nil
}

// layOver lays a tree over what a draft holds.
func layOver(ctx context.Context, d *tree.Draft, t tree.Tree, wide int64) error {
	p := newPlanner(ctx, d, Options{Overlay: true}, wide)
	d.SetAttr(t.Attr())
	if err := p.merge(spot{d, "/"}, "/", t, groups{}); err != nil {
		return err
	}
	p.link()
	return nil
}
