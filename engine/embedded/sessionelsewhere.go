package embedded

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/runtime"
	"github.com/inlaybuild/inlay/tree"
)

// elsewhere is a session at a remote.
type elsewhere struct {
	exec    *exec
	p       runtime.Process
	session engine.RemoteSession
	visit   engine.RemoteVisit // nil as long as the process has not ended
}

func (x *exec) placeElsewhere(ctx context.Context, s Session) (_ place, err error) {
	o := &elsewhere{exec: x}
	if o.session.RemoteProcess, o.p, err = x.remoteProcess(ctx); err != nil {
		return nil, err
	}
	if err := x.secretsAreThere(ctx); err != nil {
		return nil, err
	}
	if s.Lend {
		t, err := x.engine().lentTree(ctx)
		if err != nil {
			return nil, err
		}
		o.session.Lent, o.session.LentAt = &t, Lent
		o.session.Env = lentEnv(o.session.Env)
		o.p.Env = o.session.Env
	}
	o.session.Grace = grace
	return o, nil
}

// secretsAreThere misses a secret, and says why: a remote would not.
func (x *exec) secretsAreThere(ctx context.Context) error {
	for _, m := range x.spec.Mounts {
		if m.Kind != graph.MountSecret {
			continue
		}
		if _, err := x.engine().options.Secret(ctx, m.Name); err != nil {
			return fmt.Errorf("mount at %s: %w", m.Target, &SecretError{m.Name, err})
		}
	}
	return nil
}

func (o *elsewhere) run(ctx context.Context, s Streams) (exit runtime.Exit, err error) {
	o.p.Env = s.env(o.p.Env)
	o.session.Env, o.session.Signals = o.p.Env, s.Signals
	err = s.lend(func(n ends) error {
		o.session.Stdin, o.session.Stdout, o.session.Stderr = n.stdin, n.stdout, n.stderr
		stop := make(chan struct{})
		defer close(stop)
		o.session.Terminal = remoteTerminal(n.terminal, stop)
		o.visit, err = o.exec.engine().where.Enter(ctx, o.session)
		return err
	})
	if o.visit == nil || err != nil {
		return exit, err
	}
	if err := ctx.Err(); err != nil { // as who runs processes here has it
		exit, _ = o.exit()
		return exit, context.Cause(ctx)
	}
	return o.exit()
}

// exit tells how the process ended, or that it did not start.
func (o *elsewhere) exit() (runtime.Exit, error) {
	ended, took := o.visit.Exit()
	exit := runtime.Exit{Code: ended.Code, Signal: syscall.Signal(ended.Signal), OOM: ended.OOM, Elapsed: took}
	if ended.NotStarted != "" {
		return exit, runtime.NotStarted(o.exec.spec.Args[0], ended.NotStarted)
	}
	exit.Started = time.Now().Add(-took)
	return exit, nil
}

// remoteTerminal gives a terminal as remotes know it, until stop.
func remoteTerminal(t *runtime.Terminal, stop <-chan struct{}) *engine.RemoteTerminal {
	if t == nil {
		return nil
	}
	size := engine.WindowSize{Rows: t.Height, Columns: t.Width}
	if t.Width == 0 || t.Height == 0 {
		size = engine.WindowSize{Rows: 24, Columns: 80}
	}
	sizes := make(chan engine.WindowSize)
	go func() {
		for {
			select {
			case s := <-t.Resize:
				select {
				case sizes <- engine.WindowSize{Rows: s.Height, Columns: s.Width}:
				case <-stop:
					return
				}
			case <-stop:
				return
			}
		}
	}()
	return &engine.RemoteTerminal{Size: size, Resize: sizes}
}

func (o *elsewhere) left(ctx context.Context, _ *saving, contents bool) (tree.Tree, error) {
	if o.visit == nil {
		return tree.Tree{}, errors.New("it did not end well at the remote")
	}
	in, err := o.exec.in[0].Known(ctx)
	if err != nil {
		return tree.Tree{}, err
	}
	return o.visit.Left(ctx, in.Tree, contents)
}

func (o *elsewhere) process() runtime.Process { return o.p }

func (o *elsewhere) close(ctx context.Context) error {
	if o.visit != nil {
		o.visit.Close(ctx)
	}
	return nil
}
