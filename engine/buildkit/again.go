package buildkit

import (
	"context"
	"fmt"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/daemon"
	"github.com/inlaybuild/inlay/internal/shim"
)

// ending is how the process ended that left something, and what it began with. A daemon
// that takes over runs it again, and does not know that another end is another result.
type ending struct {
	call string
	code int
	said *held
	from []*held
	on   *daemon.Daemon // where it ended so
}

// ended notes how the process ended that left what is held.
func (h *held) ended(e *ending) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ending = e
}

// heldBy gives what results have that begin with something held.
func heldBy(results ...engine.Result) (out []*held) {
	for _, r := range results {
		if r.Held != nil {
			out = append(out, r.Held.By.(*held))
		}
	}
	return out
}

// treesOf gives what the process is to see.
func treesOf(x engine.RemoteProcess) []engine.Result {
	out := []engine.Result{x.Root}
	for _, m := range x.Mounts {
		if m.Kind == graph.MountTree {
			out = append(out, m.From)
		}
	}
	return out
}

// endsAgain tells whether a daemon comes to the same as another one before: each process
// that something was made by ends there with the same code. It is run for that, if the
// daemon has no result of it.
func endsAgain(ctx context.Context, d *daemon.Daemon, all ...*held) error {
	for _, h := range all {
		h.mu.Lock()
		e := h.ending
		h.mu.Unlock()
		if e == nil || e.on == d {
			continue
		}
		if err := endsAgain(ctx, d, e.from...); err != nil {
			return err
		}
		if err := e.again(ctx, d); err != nil {
			return err
		}
		same := *e
		same.on = d
		h.ended(&same)
	}
	return nil
}

func (e *ending) again(ctx context.Context, d *daemon.Daemon) error {
	ref, err := e.said.solved(ctx, d)
	if err != nil {
		return err
	}
	text, err := ref.ReadFile(ctx, shim.ExitFile)
	if err != nil {
		return err
	}
	exit, err := shim.DecodeExit(text)
	if err == nil && exit.Code != e.code {
		err = fmt.Errorf("%s ended with code %d when %s took over and ran it again, and with code %d before: what follows from it would be of neither; run the whole again", e.call, exit.Code, d.Address(), e.code)
	}
	return err
}
