package embedded

import (
	"context"
	"slices"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/graph"
)

// terminals is the person's terminal, which one step has at a time.
type terminals struct {
	free chan struct{}                 // has an element when nobody has the terminal
	left map[*graph.Node]engine.Result // what became of the nodes that had it; for who has it
}

func newTerminals() terminals {
	t := terminals{free: make(chan struct{}, 1), left: map[*graph.Node]engine.Result{}}
	t.free <- struct{}{}
	return t
}

// terminal lends the person's terminal to a process in the tree. A node has it
// once: who asks for its result again gets what came of that.
func (s *step) terminal(ctx context.Context, op graph.Terminal, in []engine.Result) (engine.Result, error) {
	e := s.engine()
	select {
	case <-e.terminal.free:
	case <-ctx.Done():
		return engine.Result{}, ctx.Err()
	}
	defer func() { e.terminal.free <- struct{}{} }()
	if r, ok := e.terminal.left[s.node]; ok {
		s.cached = true
		return r, nil
	}
	left, err := s.open(ctx, op, in)
	if err != nil {
		return engine.Result{}, err
	}
	s.uncached(engine.OpenedEveryTime, "a terminal is opened each time")
	out := in[0]
	if op.Keep {
		if out, err = out.Known(ctx); err != nil {
			return engine.Result{}, err
		}
		out.Tree = left.Tree
	}
	e.terminal.left[s.node] = out
	return out, nil
}

// open opens the terminal in a tree, and tells of it before and after.
func (s *step) open(ctx context.Context, op graph.Terminal, in []engine.Result) (left engine.Left, err error) {
	streams := s.engine().options.Terminal
	if !streams.Terminal() {
		return left, engine.ErrNoTerminal
	}
	x := &exec{step: s, in: in, op: graph.Exec{
		Args: []string{usualShell}, Network: op.Network, Env: op.Env, Mounts: op.Mounts,
	}}
	if err := x.specify(); err != nil {
		return left, err
	}
	if err := x.sit(ctx, slices.Clone(op.Args), op.Lend); err != nil {
		return left, err
	}
	s.note.specified(x.recorded())
	if err := x.placeMounts(ctx); err != nil {
		return left, err
	}
	s.event(engine.TerminalOpened{Step: s.number, Args: x.spec.Args})
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(ctx)) // nobody is thrown out because another step failed
	defer cancel(nil)
	defer s.run.onStop(cancel)()
	left, err = x.enter(ctx, Session{Lend: op.Lend, Streams: streams, keep: op.Keep})
	left.Kept = op.Keep
	s.event(engine.TerminalClosed{Step: s.number, Left: left})
	switch {
	case err != nil:
		return left, err
	case left.Stopped != nil:
		return left, left.Stopped
	case left.Failed != nil && left.Failed.Reason != "":
		return left, left.Failed // nobody has stood there
	}
	return left, nil
}
