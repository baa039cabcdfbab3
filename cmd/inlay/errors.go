package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/pipeline"
)

// usageError is the error of a command line that makes no sense.
type usageError struct{ error }

// Unwrap gives the error itself.
func (e usageError) Unwrap() error { return e.error }

func usageErrorf(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// errQuiet is the error of a command that said itself what is wrong.
var errQuiet = errors.New("failed")

// exitError is the error of a process that a person has watched: there is nothing
// more to say than its exit code.
type exitError int

func (e exitError) Error() string { return fmt.Sprintf("exited with code %d", int(e)) }

// report writes an error for people, and gives the exit code.
func (a *app) report(ctx context.Context, err error) int {
	if err == nil {
		return 0
	}
	if errors.Is(err, errQuiet) {
		return 1
	}
	var exited exitError
	if errors.As(err, &exited) {
		return int(exited)
	}
	if ctx.Err() != nil {
		fmt.Fprintf(a.stderr, "inlay: %v\n", context.Cause(ctx))
		return 1
	}
	text := err.Error()
	var forbidden *compose.ForbidError
	if errors.As(err, &forbidden) { // its paths get a line each
		all := forbidden.Error()
		head, _, _ := strings.Cut(all, ": ")
		text = strings.Replace(text, all, head+":", 1)
	}
	text = strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "; ")
	fmt.Fprintf(a.stderr, "inlay: %s\n", show.Clean(text, false))
	a.reportPaths(forbidden)
	var usage usageError
	var syntax *pipeline.SyntaxError
	var exec *engine.ExecError
	switch {
	case errors.As(err, &usage), errors.As(err, &syntax):
		return 2
	case errors.As(err, &exec):
		a.reportOutput(exec)
		if exec.ExitCode > 0 && exec.ExitCode < 256 {
			return exec.ExitCode
		}
	}
	return 1
}

// reportPaths writes all paths that a copy was forbidden to overwrite.
func (a *app) reportPaths(e *compose.ForbidError) {
	if e == nil {
		return
	}
	w := bufio.NewWriter(a.stderr)
	for _, p := range e.Paths {
		fmt.Fprintf(w, "  %s\n", show.Quote(p))
	}
	_ = w.Flush() // there is nobody else to tell
}

// reportOutput writes the end of what a failed process said, if nobody saw it.
func (a *app) reportOutput(e *engine.ExecError) {
	if a.display != nil && a.display.Output() {
		return
	}
	said := e.Stderr
	if len(bytes.TrimSpace(said)) == 0 {
		said = e.Stdout
	}
	lines := strings.Split(strings.TrimRight(string(said), "\n"), "\n")
	if lines[0] == "" && len(lines) == 1 {
		return
	}
	for _, line := range lines[max(0, len(lines)-10):] {
		fmt.Fprintf(a.stderr, "| %s\n", cut(show.Clean(line, false)))
	}
}
