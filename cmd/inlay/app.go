package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/inlaybuild/inlay"
	"github.com/inlaybuild/inlay/cmd/inlay/internal/progress"
	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/embedded"
)

// app is one run of the command: its streams and its global flags.
type app struct {
	stdin, stdout, stderr *os.File
	interrupts            *interrupts
	args                  []string // the command line

	store      string
	engine     string
	progress   string
	maxBytes   string
	maxEntries int64
	limits     embedded.Limits // those that need no parsing
	cacheFrom  []string
	cacheTo    []string
	json       bool

	display progress.Display // nil before the store is opened

	prompting bool // it is a conversation
}

// session is an open store, and what shows events of it.
type session struct {
	*app
	embedded *embedded.Engine
	recorded *embedded.Run // what the client resolves
	client   *inlay.Client
}

// with opens the store for f. When a pipeline is asked for, by this text, each of
// its steps gets a line, and the store remembers it as a run.
func (a *app) with(ctx context.Context, asked string, f func(context.Context, *session) error) (err error) {
	mode, err := progress.ParseMode(a.progress)
	if err != nil {
		return usageError{err}
	}
	o := embedded.Options{Store: a.store, Stdin: a.stdin, Stdout: noTerminal{a.stdout}, Record: asked != "", Asked: asked}
	if a.prompting {
		o.Stdin = nil // it is the user's own
	}
	o.Terminal = embedded.Streams{Stdin: a.stdin, Stdout: a.stdout}
	o.Limits = a.limits
	o.Limits.MaxEntries = a.maxEntries
	if a.maxBytes != "" {
		if o.Limits.MaxBytes, err = show.ParseSize(a.maxBytes); err != nil {
			return usageErrorf("--max-bytes: %v", err)
		}
	}
	if o.Epoch, err = epoch(os.Getenv("SOURCE_DATE_EPOCH")); err != nil {
		return err
	}
	if err := a.elsewhere(&o); err != nil {
		return err
	}
	e, err := embedded.Open(ctx, o)
	if err != nil {
		return err
	}
	a.display = progress.New(mode, a.stderr, asked != "")
	run := e.Begin(asked)
	s := &session{app: a, embedded: e, recorded: run, client: inlay.NewClient(run, a.display)}
	defer func() {
		// The context may be over; what is closed must be closed all the same.
		cerr := run.End(ctx, err)
		if e := s.client.Close(context.WithoutCancel(ctx)); cerr == nil {
			cerr = e
		}
		if err == nil {
			err = cerr
		}
		a.display.Close()
	}()
	return f(ctx, s)
}

// epoch reads $SOURCE_DATE_EPOCH; "" is 0.
func epoch(s string) (int64, error) {
	if s == "" {
		return 0, nil
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return 0, usageErrorf("$SOURCE_DATE_EPOCH is %q: want seconds since 1970, or unset it", s)
	}
	return n, nil
}

// working shows that something goes on of which nothing else tells.
func (s *session) working(what string) {
	s.display.Event(engine.Progress{Step: -1, What: what + " " + s.embedded.Store().Dir()})
}

// noTerminal refuses to write a tar to a terminal.
type noTerminal struct{ *os.File }

func (t noTerminal) Write(b []byte) (int, error) {
	if progress.IsTerminal(t.File) {
		return 0, fmt.Errorf("standard output is a terminal: redirect it, or write to a file")
	}
	return t.File.Write(b)
}

// ReadFrom keeps io.Copy from going around Write.
func (t noTerminal) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{t}, r)
}
