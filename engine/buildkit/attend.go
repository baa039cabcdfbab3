package buildkit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"
	"time"

	gateway "github.com/moby/buildkit/frontend/gateway/client"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/internal/daemon"
	"github.com/inlaybuild/inlay/internal/shim"
)

// attended is the process of a person while it runs.
type attended struct {
	x       engine.RemoteSession
	process *daemon.Started

	ready chan struct{} // closed when the process takes what is typed
	ended chan struct{} // closed when it has ended and all that it wrote was passed on
	deaf  chan struct{} // closed when nobody hears it any more
	ends  int           // of streams that are still to come
	exit  shim.Exit
	early []byte // what was written before it was ready
	once  sync.Once
}

// attend runs the process of a session in a container, and waits for its end.
func attend(ctx context.Context, c *daemon.Container, x engine.RemoteSession) (shim.Exit, error) {
	a := &attended{x: x, ready: make(chan struct{}), ended: make(chan struct{}), deaf: make(chan struct{}), ends: 1}
	mark := shim.NewMark()
	p := daemon.Process{
		Args: []string{program, "enter", specDir + "/spec"}, Env: []string{shim.MarkVariable + "=" + mark},
		Stdout: shim.NewEar(mark, hearing{a, x.Stdout}, a.hear),
	}
	if t := x.Terminal; t != nil {
		p.Terminal = true
		p.Args = append(p.Args, sizeArgs(t.Size)...)
	} else {
		a.ends = 2
		p.Stderr = shim.NewEar(mark, hearing{a, x.Stderr}, a.hear)
	}
	if x.Stdin != nil {
		p.Stdin = &typed{a, x.Stdin}
	}
	life, end := context.WithCancel(context.WithoutCancel(ctx))
	defer end()
	var err error
	if a.process, err = c.Start(life, p); err != nil {
		return shim.Exit{}, err
	}
	over := make(chan error, 1)
	go func() { over <- a.process.Wait() }()
	go a.pass(life)
	if done, err := a.wait(over, ctx.Done(), nil); done {
		return a.exit, err
	}
	_ = a.process.Signal(life, syscall.SIGTERM)
	if done, err := a.wait(over, nil, time.After(x.Grace)); done {
		return a.exit, err
	}
	_ = a.process.Signal(life, shim.EndSignal)
	if done, err := a.wait(over, nil, time.After(patience)); done {
		return a.exit, err
	}
	return shim.Exit{}, context.Cause(ctx)
}

// wait waits for the end of the process, and tells whether that came first.
func (a *attended) wait(over <-chan error, stop <-chan struct{}, late <-chan time.Time) (done bool, err error) {
	select {
	case <-a.ended:
		return true, nil
	case err := <-over:
		select {
		case <-a.ended:
			return true, nil
		default:
			return true, a.broken(err)
		}
	case <-stop:
	case <-late:
	}
	return false, nil
}

// broken says why there is no exit.
func (a *attended) broken(err error) error {
	if err == nil {
		err = errors.New("the session ended, and how is not known")
	}
	if text := bytes.TrimSpace(a.early); len(text) > 0 {
		return fmt.Errorf("%s: %w", text, err)
	}
	return err
}

// pass passes on sizes and signals.
func (a *attended) pass(ctx context.Context) {
	var sizes <-chan engine.WindowSize
	resize := func(s engine.WindowSize) {
		_ = a.process.Resize(ctx, gateway.WinSize{Rows: uint32(s.Rows), Cols: uint32(s.Columns)})
	}
	if t := a.x.Terminal; t != nil {
		sizes = t.Resize
		resize(t.Size)
	}
	signals, deaf := a.x.Signals, a.deaf
	for {
		select {
		case s := <-sizes:
			resize(s)
		case s, ok := <-signals:
			if !ok {
				signals = nil
				continue
			}
			_ = a.process.Signal(ctx, s)
		case <-deaf:
			deaf = nil
			_ = a.process.Signal(ctx, syscall.SIGPIPE)
		case <-ctx.Done():
			return
		}
	}
}

// hear takes what the shim says.
func (a *attended) hear(text []byte) error {
	if len(text) == 0 {
		a.once.Do(func() { close(a.ready) })
		return nil
	}
	exit, err := shim.DecodeExit(text)
	if err != nil {
		return err
	}
	a.exit = exit
	if a.ends--; a.ends == 0 {
		close(a.ended)
	}
	return nil
}

// hearing passes on what the process writes.
type hearing struct {
	of *attended
	to io.Writer
}

// Write passes on until that fails, as with a pipe that nobody reads.
func (h hearing) Write(b []byte) (int, error) {
	select {
	case <-h.of.ready:
	default:
		h.of.early = append(h.of.early, b[:min(len(b), 4096-len(h.of.early))]...)
		return len(b), nil
	}
	select {
	case <-h.of.deaf:
		return len(b), nil
	default:
	}
	if h.to != nil {
		if _, err := h.to.Write(b); err != nil {
			close(h.of.deaf)
		}
	}
	return len(b), nil
}

// typed is what the process reads, from when it is ready on.
type typed struct {
	of   *attended
	from io.Reader
}

func (t *typed) Read(b []byte) (int, error) {
	select {
	case <-t.of.ready:
		return t.from.Read(b)
	case <-t.of.ended:
		return 0, io.EOF
	}
}
