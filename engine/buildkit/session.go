package buildkit

import (
	"context"
	"errors"

	"github.com/inlaybuild/inlay/engine"
)

// Enter runs the process of a session.
func (r *Remote) Enter(ctx context.Context, x engine.RemoteSession) (engine.RemoteExit, error) {
	return engine.RemoteExit{}, errors.New("not yet")
}
