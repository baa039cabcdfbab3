package embedded

import (
	"context"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/graph"
)

func (s *step) rename(ctx context.Context, op graph.Rename, in engine.Result) (engine.Result, error) {
	r, err := compose.Rename(ctx, in.Tree, op.From, op.To, compose.Options{Existing: op.Existing})
	return s.composed(in, r, err)
}
