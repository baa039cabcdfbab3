package embedded

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/graph"
)

// Run is an engine of which all that it resolves is one run: what was made once
// is not made again, and steps have the numbers of the run. It is used by several
// goroutines at once. End it.
type Run struct {
	*Engine
	asked string
	*history

	beginning sync.Mutex
	begun     bool  // notes is there, if there is to be any
	failed    error // of the last resolution
}

// Begin begins a run, asked for in these words; "" is the call of the first node.
// It is remembered if the engine's Options say so, from its first Resolve on.
func (e *Engine) Begin(asked string) *Run {
	return &Run{Engine: e, asked: asked, history: newHistory()}
}

// Look gives a run that is not remembered, whatever the engine's Options say: for who
// looks at things while another one goes on.
func (e *Engine) Look() *Run {
	return &Run{Engine: e, history: newHistory(), begun: true}
}

// Name gives the name of the run; "" as long as nothing was resolved, and of one
// that is not remembered.
func (r *Run) Name() string {
	r.beginning.Lock()
	defer r.beginning.Unlock()
	if r.notes == nil {
		return ""
	}
	return r.notes.run.Name()
}

// Resolve makes the result of a node: its inputs first, in parallel. What it gives
// a digest of can be looked up by others, and is a source at once.
func (r *Run) Resolve(ctx context.Context, n *graph.Node, s engine.Sink) (engine.Result, error) {
	res, err := r.resolve(ctx, n, s)
	if r.notes != nil {
		_ = r.notes.flush(context.WithoutCancel(ctx)) // it has told
	}
	return res, err
}

func (r *Run) resolve(ctx context.Context, n *graph.Node, s engine.Sink) (engine.Result, error) {
	if err := n.Check(); err != nil {
		return engine.Result{}, err
	}
	e := &run{root: n, history: r.history, engine: r.Engine, events: newEvents(s), onStop: func(f func(error)) func() bool {
		return context.AfterFunc(ctx, func() { f(context.Cause(ctx)) })
	}}
	r.audience.listen(e.events)
	e.forgetLost()
	if err := r.remember(ctx, n, e.events); err != nil {
		return engine.Result{}, err
	}
	e.plan(n)
	var res engine.Result
	err := e.keepContents(ctx, n)
	if err == nil {
		res, err = e.resolve(ctx, n)
	}
	if err != nil && ctx.Err() == nil && e.failed != nil {
		err = e.failed // not that others were canceled because of it
	}
	e.notes.resolved(e)
	r.history.mu.Lock()
	r.failed = err
	r.history.mu.Unlock()
	return res, err
}

// Skip notes that a node is not resolved because something else failed: those of
// its steps that the run does not have yet are skipped ones. Before the first
// Resolve, and in a run that is not remembered, nobody wants to know.
func (r *Run) Skip(n *graph.Node) {
	r.beginning.Lock()
	defer r.beginning.Unlock()
	if r.notes == nil {
		return
	}
	e := &run{root: n, history: r.history, engine: r.Engine, events: r.notes.sink()}
	r.history.mu.Lock()
	e.number(n)
	r.history.mu.Unlock()
	r.notes.skip(e)
}

// remember begins to write down the run, with its first node.
func (r *Run) remember(ctx context.Context, n *graph.Node, ev *events) (err error) {
	r.beginning.Lock()
	defer r.beginning.Unlock()
	if !r.begun {
		r.notes, err = r.record(ctx, r.asked, n, ev)
		r.begun = err == nil
	}
	return err
}

// End writes down how the run ended: with an error, or that of the last Resolve.
// It does so even when the context is over. Old runs beyond the limits of the
// engine's Options are forgotten now and then.
func (r *Run) End(ctx context.Context, err error) error {
	if r.notes == nil {
		return nil
	}
	if err == nil {
		r.history.mu.Lock()
		err = r.failed
		r.history.mu.Unlock()
	}
	if err := r.notes.end(context.WithoutCancel(ctx), err, ctx.Err() != nil); err != nil {
		return fmt.Errorf("write down the run %s: %w", r.notes.run.Name(), err)
	}
	return nil
}

// Close ends the run and the use of the engine.
func (r *Run) Close(ctx context.Context) error {
	return errors.Join(r.End(ctx, nil), r.Engine.Close(ctx))
}
