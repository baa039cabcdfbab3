// Command inlay composes container file systems: it puts files and directories
// into images without breaking what is there, runs processes in them, and
// writes them as images, archives and directories.
//
// `inlay help` teaches by example. Exit codes: 0; 1 it failed; 2 the command
// line or a pipeline makes no sense; a failed process' own code where one was
// asked for.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/sirupsen/logrus"
)

func main() {
	logrus.SetOutput(io.Discard) // packages of others log what they give back as errors, or help themselves against
	ctx, in := interruptible(context.Background())
	a := &app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, interrupts: in}
	code := a.run(ctx, os.Args[1:])
	in.end()
	os.Exit(code)
}

// interrupts are what end a context.
type interrupts struct {
	signals chan os.Signal
	cancel  context.CancelCauseFunc
}

// interruptible gives a context that the first interrupt ends. The second one
// ends the program as if it had never been caught. A closed pipe at standard
// output ends it too, by the signal that Go leaves alone.
func interruptible(ctx context.Context) (context.Context, *interrupts) {
	ctx, cancel := context.WithCancelCause(ctx)
	in := &interrupts{make(chan os.Signal, 2), cancel}
	signal.Notify(in.signals, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		cancel(stoppedBy(<-in.signals))
		signal.Reset(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	}()
	return ctx, in
}

func stoppedBy(s os.Signal) error { return fmt.Errorf("stopped by signal (%s)", s) }

// release leaves interrupts to somebody else, for good.
func (in *interrupts) release() { signal.Stop(in.signals) }

func (in *interrupts) end() {
	in.release()
	in.cancel(nil)
}

// passing gives signals that are for a process that somebody else asked for, and a
// context that those end which are for us. They do not end the context any more
// that [interruptible] gave. Call stop in the end.
func (in *interrupts) passing(ctx context.Context) (_ context.Context, forProcess <-chan syscall.Signal, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	caught, passed, done := make(chan os.Signal, 16), make(chan syscall.Signal, 16), make(chan struct{})
	signal.Notify(caught, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGTERM, syscall.SIGHUP)
	in.release()
	go func() {
		for {
			select {
			case <-done:
				return
			case s := <-caught:
				if s == syscall.SIGTERM || s == syscall.SIGHUP {
					cancel(stoppedBy(s))
					continue
				}
				select {
				case passed <- s.(syscall.Signal):
				default: // it does not listen
				}
			}
		}
	}()
	return ctx, passed, func() {
		signal.Stop(caught)
		close(done)
		cancel(nil)
	}
}
