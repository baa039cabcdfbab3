package buildkit

import (
	"context"
	"errors"

	"github.com/moby/buildkit/client/llb"

	"github.com/inlaybuild/inlay/tree"
)

// apply has a process at the daemon make a tree of what it began with.
func (r *Remote) apply(ctx context.Context, b base, c tree.ChangeSet, t tree.Tree) (llb.State, error) {
	return llb.State{}, errors.New("not yet")
}
