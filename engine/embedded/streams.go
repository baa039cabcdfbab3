package embedded

import (
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

// ends are what a process has of the streams.
type ends struct {
	terminal *runtime.Terminal // nil: pipes, or files
	stdin    io.Reader
	stdout   io.Writer
	stderr   io.Writer
}

// here gives the process its ends.
func (n ends) here(p *runtime.Process) {
	p.Terminal, p.Stdin, p.Stdout, p.Stderr = n.terminal, n.stdin, n.stdout, n.stderr
}

// lend lends the streams to a process that f runs.
func (s Streams) lend(f func(ends) error) (err error) {
	if t, ok := terminal.Of(s.Stdin, s.Stdout); ok {
		return lendTerminal(t, f)
	}
	// A terminal that is not the process' own is not given to it either.
	n := ends{stdout: piped(s.Stdout), stderr: piped(s.Stderr)}
	if s.Stdin != nil {
		in, done, err := notTerminal(s.Stdin)
		if err != nil {
			return err
		}
		defer done()
		n.stdin = in
	}
	return f(n)
}

// env adds to an environment what a process needs to know of the terminal.
func (s Streams) env(env []string) []string {
	if name := os.Getenv("TERM"); name != "" && s.Terminal() && lookupEnv(env, "TERM") == "" {
		env = append(env[:len(env):len(env)], "TERM="+name)
	}
	return env
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

// lendTerminal lends the person's terminal to a process that is on one of its own.
func lendTerminal(t *terminal.Terminal, f func(ends) error) (err error) {
	program, err := runtime.Find()
	if err != nil {
		return err
	}
	taken, err := t.Take(program)
	if err != nil {
		return err
	}
	defer func() {
		next := taken.Next()
		if e := taken.Release(); err == nil {
			err = e
		}
		_, _ = io.WriteString(taken, next) // what comes next gets a line of its own
	}()
	size := taken.Size()
	return f(ends{
		terminal: &runtime.Terminal{Width: size.Width, Height: size.Height, Resize: taken.Sizes()},
		stdin:    taken, stdout: taken,
	})
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
