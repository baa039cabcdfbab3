package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
)

// Container is where processes run beside one another, in copies of results that are
// thrown away in the end. Close it.
type Container struct {
	daemon    *Daemon
	container gateway.Container
}

// NewContainer gives a container that sees mounts, one of which is at "/". It ends
// with the session, and nothing runs in it before Start.
func (d *Daemon) NewContainer(ctx context.Context, hostname string, mounts []gateway.Mount, network pb.NetMode) (*Container, error) {
	c, err := d.gateway.NewContainer(ctx, gateway.NewContainerRequest{Mounts: mounts, Hostname: hostname, NetMode: network})
	if err != nil {
		return nil, d.Lost(err)
	}
	return &Container{d, c}, nil
}

// Process is what a container runs, as root.
type Process struct {
	Args     []string
	Env      []string
	Terminal bool      // its streams are a terminal; all output goes to Stdout
	Stdin    io.Reader // nil: nothing
	Stdout   io.Writer // what it fails with is the error of Wait
	Stderr   io.Writer
}

// Started is a process that was started. When the first one of a container ends, all
// others are ended; and so they are when one ends with a code that is not 0.
type Started struct {
	gateway.ContainerProcess
	daemon *Daemon
	end    context.CancelCauseFunc
}

// Start starts a process.
func (c *Container) Start(ctx context.Context, p Process) (*Started, error) {
	life, end := context.WithCancelCause(ctx)
	go c.daemon.beat(life, end) // the client would wait for ever
	r := gateway.StartRequest{
		Args: p.Args, Env: p.Env, Cwd: "/", User: "0:0", Tty: p.Terminal,
		Stdout: open{p.Stdout},
	}
	if p.Stdin != nil {
		r.Stdin = io.NopCloser(p.Stdin)
	}
	if p.Stderr != nil {
		r.Stderr = open{p.Stderr}
	}
	started, err := c.container.Start(life, r)
	if err != nil {
		end(nil)
		return nil, c.daemon.Lost(err)
	}
	return &Started{started, c.daemon, end}, nil
}

// Daemons are asked from time to time whether they are still there, and are given some
// time to answer.
const (
	heartbeat = time.Second
	answer    = 20 * time.Second
)

// beat ends what needs the daemon when that goes away.
func (d *Daemon) beat(ctx context.Context, end context.CancelCauseFunc) {
	ticks := time.NewTicker(heartbeat)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-d.ended:
			end(ErrLost)
			return
		case <-ticks.C:
			if err := d.lives(ctx); err != nil {
				end(fmt.Errorf("%w: %w", ErrLost, err))
				return
			}
		}
	}
}

// lives tells whether the daemon answers.
func (d *Daemon) lives(ctx context.Context) error {
	ctx, end := context.WithTimeout(ctx, answer)
	defer end()
	_, err := d.client.ListWorkers(ctx)
	if isUnavailable(err) || errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return err
	}
	return nil
}

// Wait waits for the end of the process. All that it wrote has been passed on. A code
// that is not 0 is an error.
func (s *Started) Wait() error {
	err := s.ContainerProcess.Wait()
	s.end(nil)
	if errors.Is(err, ErrLost) {
		return fmt.Errorf("buildkitd at %s: %w", s.daemon.options.Address, err)
	}
	return s.daemon.Lost(err)
}

// Run runs a process and waits for its end. The error has what it wrote to standard
// error.
func (c *Container) Run(ctx context.Context, p Process) error {
	var said said
	p.Stderr = &said
	s, err := c.Start(ctx, p)
	if err != nil {
		return err
	}
	if err := s.Wait(); err != nil {
		if said.text != nil {
			return fmt.Errorf("%s: %w", said.text, err)
		}
		return err
	}
	return nil
}

// Close ends all that runs in the container. That it had to be ended is no error.
func (c *Container) Close(ctx context.Context) {
	_ = c.container.Release(ctx)
}

// said keeps the beginning of what a process says.
type said struct {
	mu   sync.Mutex
	text []byte
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.text = append(s.text, b[:min(len(b), 4096-len(s.text))]...)
	return len(b), nil
}

// open is a writer that is not closed.
type open struct{ io.Writer }

func (open) Close() error { return nil }
