package buildkit

import (
	"context"

	"github.com/moby/buildkit/client/llb"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/internal/daemon"
)

// Make has a daemon make the tree of a result, and tells how.
func (r *Remote) Make(ctx context.Context, res engine.Result) (engine.Lowering, error) {
	s, how, err := r.lower(ctx, res)
	if err != nil {
		return how, err
	}
	return how, r.Solve(ctx, s)
}

// Solve has a daemon make a state.
func (r *Remote) Solve(ctx context.Context, s llb.State) error {
	return r.on(ctx, func(d *daemon.Daemon) error {
		def, err := d.Define(ctx, s)
		if err != nil {
			return err
		}
		_, err = d.Solve(ctx, def)
		return err
	})
}

// StateOf gives the state of what a daemon holds.
func StateOf(h *engine.Held) llb.State { return h.By.(*held).state }

// Mistake has the remote take a file that is held for what has a digest.
func (r *Remote) Mistake(d digest.Digest, h *engine.Held, path string, size int64) {
	r.places.add(d, place{held: h.By.(*held), path: path, file: true, size: size})
}

// Sent tells how many bytes of layers daemons have read of this process.
func (r *Remote) Sent() int64 { return r.uploads.sent.Load() }

// Lie has daemons make something else of all that is lowered.
func (r *Remote) Lie(f func(s llb.State, how engine.LoweringKind) llb.State) { r.spoil = f }

// Asked gives how many directories a daemon was asked to list.
func (r *Remote) Asked() int {
	r.lists.mu.Lock()
	defer r.lists.mu.Unlock()
	return r.lists.asked
}
