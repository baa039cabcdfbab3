package embedded

import (
	"context"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/graph"
)

func (s *step) hardlink(ctx context.Context, op graph.Hardlink, in engine.Result) (engine.Result, error) {
	r, err := compose.Hardlink(ctx, in.Tree, op.Target, op.Path, compose.Options{Existing: op.Existing})
	return s.composed(in, r, err)
}
