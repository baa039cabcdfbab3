package main

import (
	"context"
	"strings"

	"github.com/inlaybuild/inlay/engine/runs"
)

// named reads the one argument of a command, which may be left out: a run or a step.
func named(args []string, usage string) (runs.Name, error) {
	if len(args) > 1 || len(args) == 1 && strings.HasPrefix(args[0], "-") {
		return runs.Name{}, usageErrorf("usage: %s", usage)
	}
	n, err := runs.ParseName(strings.Join(args, ""))
	if err != nil {
		return n, usageError{err}
	}
	return n, nil
}

func (p *prompt) runs(ctx context.Context, args []string) error {
	if len(args) > 0 {
		return usageErrorf("usage: runs; `inlay runs` has options")
	}
	list, err := runs.List(ctx, p.embedded.Store(), 20)
	if err != nil {
		return err
	}
	return p.session.runs(list)
}

func (p *prompt) steps(ctx context.Context, args []string) error {
	n, err := named(args, "steps [RUN|STEP]")
	if err != nil {
		return err
	}
	found, err := runs.Find(ctx, p.embedded.Store(), n)
	if err != nil {
		return err
	}
	return p.session.steps(found)
}

func (p *prompt) log(ctx context.Context, args []string) error {
	n, err := named(args, "log [RUN|STEP]; `inlay log` has options")
	if err != nil {
		return err
	}
	f := follower{session: p.session}
	return f.write(ctx, n)
}

func (p *prompt) explain(ctx context.Context, args []string) error {
	n, err := named(args, "explain [RUN|STEP]; `inlay explain` has options")
	if err != nil {
		return err
	}
	e, err := p.embedded.Explain(ctx, n)
	if err != nil {
		return err
	}
	return p.session.explain(e, false)
}
