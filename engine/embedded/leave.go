package embedded

import (
	"context"
	"errors"
	"time"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/runs"
	"github.com/inlaybuild/inlay/internal/checkout"
	"github.com/inlaybuild/inlay/internal/runtime"
	"github.com/inlaybuild/inlay/internal/store"
)

// patience is how long somebody who canceled a run waits for what a process left.
const patience = time.Second

// leave keeps what a failed process left, as the tree of its step: not as a
// result, so that it is never taken for one. Without a run that is remembered
// nobody could name it. That it cannot be kept is told, and is no error beside the
// one that there is.
func (x *exec) leave(ctx context.Context, root *checkout.Root, sv *saving, out *outputs, failed error) {
	if x.note == nil {
		return
	}
	var start *engine.ExecError
	if errors.As(failed, &start) && start.Reason != "" { // it wrote nothing
		x.left = &x.in[0].Tree
		return
	}
	if ctx.Err() != nil {
		var end context.CancelFunc
		ctx, end = context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer end()
	}
	err := out.discard() // before the directory of its blobs goes
	if err == nil {
		err = x.keepLeft(ctx, root, sv)
	}
	if err != nil {
		x.event(engine.NotKept{Step: x.number, What: "what the process left", Err: err})
	}
}

func (x *exec) keepLeft(ctx context.Context, root *checkout.Root, sv *saving) error {
	t, err := x.capture(ctx, root, sv)
	if err != nil {
		return err
	}
	if _, err := sv.add(ctx, t); err != nil {
		return err
	}
	if err := sv.commit(ctx, store.Changes{Loose: true}); err != nil {
		return err
	}
	x.progress().wrote(sv)
	x.left = &t
	return nil
}

// process gives what became of the process.
func (o *outputs) process(exit runtime.Exit, failed error, canceled bool) *runs.Process {
	p := &runs.Process{
		ExitCode: exit.Code, Signal: int(exit.Signal), OOM: exit.OOM, Canceled: canceled,
		Stdout: o.stdout.size, Stderr: o.stderr.size,
	}
	var fail *engine.ExecError
	if errors.As(failed, &fail) {
		p.ExitCode, p.NotStarted = fail.ExitCode, fail.Reason != ""
	}
	if o.lost != nil {
		p.NotLogged = o.lost.Error()
	}
	return p
}
