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
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := interruptible(context.Background())
	a := &app{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
	code := a.run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// interruptible gives a context that the first interrupt ends. The second one
// ends the program as if it had never been caught. A closed pipe at standard
// output ends it too, by the signal that Go leaves alone.
func interruptible(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	ch := make(chan os.Signal, 2)
	signal.Notify(ch, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		s, ok := <-ch
		if !ok {
			return
		}
		cancel(fmt.Errorf("stopped by signal (%s)", s))
		signal.Reset(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	}()
	return ctx, func() { signal.Stop(ch); cancel(nil) }
}
