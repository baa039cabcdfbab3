package embedded

import (
	"context"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/graph"
)

func (s *step) setAttr(ctx context.Context, op graph.SetAttr, in engine.Result) (engine.Result, error) {
	o, err := s.copyOptions(ctx, graph.CopyOptions{Owner: op.Owner, Mode: op.Mode, Time: op.Time}, in.Tree)
	if err != nil {
		return engine.Result{}, err
	}
	in.Tree, err = compose.SetAttr(ctx, in.Tree, op.Paths, compose.AttrChange{
		Owner: o.Owner, Mode: o.Mode, Time: o.Time, Shallow: op.Shallow,
	})
	return in, err
}
