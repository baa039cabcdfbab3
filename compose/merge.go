package compose

import (
	"context"

	"github.com/inlaybuild/inlay/tree"
)

// Merge lays the trees over one another, later ones over earlier ones, exactly
// as unpacking them as layers in that order would: names and attributes of the
// later win, directories merge, a directory replaces a symlink. The root has the
// last tree's attributes. The empty list gives [tree.Empty]. The result says of
// each tree but the first what landed where, and what was lost under any of them.
func Merge(ctx context.Context, trees ...tree.Tree) (Result, error) {
	if len(trees) == 0 {
		return Result{Tree: tree.Empty()}, nil
	}
	t := trees[0]
	var all journal
	for _, over := range trees[1:] {
		d := tree.NewDraft(t)
		j, err := layOver(ctx, d, over, enough, journal{root: true})
		if err != nil {
			return Result{}, err
		}
		if t, err = d.Tree(ctx); err != nil {
			return Result{}, err
		}
		all.add(j)
	}
	return all.settle(ctx, t)
}

// layOver lays a tree over what a draft holds, and goes on with a journal.
func layOver(ctx context.Context, d *tree.Draft, t tree.Tree, wide int64, j journal) (journal, error) {
	p := newPlanner(ctx, d, Options{Overlay: true}, wide)
	p.journal = j
	a := t.Attr()
	p.note(Placement{Action: MergeInto, From: "/", To: "/", Entry: t, Attr: &a})
	d.SetAttr(a)
	if err := p.merge(spot{d, "/"}, "/", t, groups{}); err != nil {
		return journal{}, err
	}
	p.link()
	return p.journal, nil
}
