package embedded

import (
	"context"
	"errors"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/engine"
)

func (s *step) merge(ctx context.Context, in []engine.Result) (engine.Result, error) {
	out := in[0]
	if out.Changes != nil {
		return engine.Result{}, errors.New("the first of what is merged must be a directory, not a change set")
	}
	all := compose.Result{Tree: out.Tree}
	for _, over := range in[1:] {
		var r compose.Result
		var err error
		if over.Changes != nil {
			r, err = compose.Apply(ctx, all.Tree, *over.Changes)
		} else {
			r, err = compose.Merge(ctx, all.Tree, over.Tree)
		}
		if err != nil {
			return engine.Result{}, err
		}
		all.Tree = r.Tree
		all.Placements = append(all.Placements, r.Placements...)
		all.Replaced = append(all.Replaced, r.Replaced...)
	}
	return s.composed(out, all, nil)
}

func (s *step) diff(ctx context.Context, a, b engine.Result) (engine.Result, error) {
	if a.Changes != nil || b.Changes != nil {
		return engine.Result{}, errors.New("change sets have no difference: use directories")
	}
	c, err := compose.Diff(ctx, a.Tree, b.Tree)
	if err != nil {
		return engine.Result{}, err
	}
	r := scratch()
	r.Changes = &c
	return r, nil
}
