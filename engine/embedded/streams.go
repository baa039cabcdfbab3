package embedded

import (
	"context"
	"io"
	"os"
	"syscall"

	"github.com/inlaybuild/inlay/internal/runtime"
	"github.com/inlaybuild/inlay/internal/terminal"
)

// Streams are what a process reads and writes. When Stdin and Stdout are a
// terminal the process gets one of its own, and everything that is typed; else
// pipes.
type Streams struct {
	Stdin, Stdout, Stderr *os.File // nil: none
	// Signals are passed on to the process. Nil has none.
	Signals <-chan syscall.Signal
}

// Terminal tells whether a person is at both ends.
func (s Streams) Terminal() bool {
	_, ok := terminal.Of(s.Stdin, s.Stdout)
	return ok
}

// run runs a process with these streams.
func (s Streams) run(ctx context.Context, c runtime.Config, p runtime.Process) (exit runtime.Exit, err error) {
	if t, ok := terminal.Of(s.Stdin, s.Stdout); ok {
		return runOn(ctx, t, c, p)
	}
	if s.Stdin != nil {
		in, done, err := notTerminal(s.Stdin)
		if err != nil {
			return exit, err
		}
		defer done()
		p.Stdin = in
	}
	// A terminal that is not the process' own is not given to it either.
	p.Stdout, p.Stderr = piped(s.Stdout), piped(s.Stderr)
	return runtime.Run(ctx, c, p)
}

// notTerminal gives what the process reads: a file as it is, if it is no terminal.
// Of a terminal nothing is taken that comes when the process has ended.
func notTerminal(f *os.File) (io.Reader, func(), error) {
	if !terminal.Is(f) {
		return f, func() {}, nil
	}
	keys, err := terminal.NewKeys(f)
	if err != nil {
		return nil, nil, err
	}
	return keys, func() { keys.Close() }, nil
}

func piped(f *os.File) io.Writer {
	switch {
	case f == nil:
		return nil
	case terminal.Is(f):
		return struct{ io.Writer }{f}
	}
	return f
}

// runOn runs a process on a terminal of its own, to which the person's is lent.
func runOn(ctx context.Context, t *terminal.Terminal, c runtime.Config, p runtime.Process) (exit runtime.Exit, err error) {
	if name := os.Getenv("TERM"); name != "" && lookupEnv(p.Env, "TERM") == "" {
		p.Env = append(p.Env[:len(p.Env):len(p.Env)], "TERM="+name)
	}
	taken, err := t.Take(c.Program)
	if err != nil {
		return exit, err
	}
	defer func() {
		next := taken.Next()
		if e := taken.Release(); err == nil {
			err = e
		}
		_, _ = io.WriteString(taken, next) // what comes next gets a line of its own
	}()
	size := taken.Size()
	p.Terminal = &runtime.Terminal{Width: size.Width, Height: size.Height, Resize: taken.Sizes()}
	p.Stdin, p.Stdout = taken, taken
	return runtime.Run(ctx, c, p)
}

// Guard has the terminal put back should this process be killed while a line is
// edited on it. Call end when no line is edited any more. Without inlay-runc nothing
// is guarded.
func (s Streams) Guard() (end func(), err error) {
	program, err := runtime.Find()
	if err != nil || !terminal.Is(s.Stdin) {
		return func() {}, nil
	}
	return terminal.Guard(program, s.Stdin)
}
