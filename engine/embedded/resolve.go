package embedded

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sync/errgroup"
)

// Resolve makes the result of a node: its inputs first, in parallel.
func (e *Engine) Resolve(ctx context.Context, n *graph.Node, s engine.Sink) (engine.Result, error) {
	if err := n.Check(); err != nil {
		return engine.Result{}, err
	}
	r := &run{engine: e, events: newEvents(s), pending: map[*graph.Node]*pending{}}
	if e.options.Record {
		var err error
		if r.notes, err = e.record(ctx, n, r.events); err != nil {
			return engine.Result{}, err
		}
	}
	var res engine.Result
	err := r.keepContents(ctx, n)
	if err == nil {
		res, err = r.resolve(ctx, n)
	}
	if err != nil && ctx.Err() == nil && r.failed != nil {
		err = r.failed // not that others were canceled because of it
	}
	if end := r.notes.end(ctx, err); err == nil && end != nil {
		return engine.Result{}, end
	}
	return res, err
}

// run is one resolution of a graph.
type run struct {
	engine *Engine
	events *events
	notes  *notes // nil unless the run is remembered

	starts sync.Mutex // steps start one by one, in the order of their numbers

	mu      sync.Mutex
	pending map[*graph.Node]*pending
	steps   int
	failed  error                   // of the first step that failed
	brought map[digest.Digest]int64 // contents of new files that the store did not have, until a step takes them as its own
}

// pending is a node that somebody resolves, or that is resolved.
type pending struct {
	done   chan struct{}
	step   int
	result engine.Result
	err    error
}

func (r *run) resolve(ctx context.Context, n *graph.Node) (engine.Result, error) {
	r.mu.Lock()
	p, ok := r.pending[n]
	if !ok {
		p = &pending{done: make(chan struct{})}
		r.pending[n] = p
	}
	r.mu.Unlock()
	if ok {
		select {
		case <-p.done:
			return p.result, p.err
		case <-ctx.Done():
			return engine.Result{}, ctx.Err()
		}
	}
	p.result, p.err = r.perform(ctx, n, p)
	close(p.done)
	return p.result, p.err
}

func (r *run) perform(ctx context.Context, n *graph.Node, p *pending) (engine.Result, error) {
	inputs, err := r.inputs(ctx, n)
	if err != nil {
		return engine.Result{}, err
	}
	s := r.start(n, p, inputs)
	res, err := s.resolve(ctx, inputs)
	if err != nil {
		err = wrap(n, ended(ctx, err))
		r.mu.Lock()
		if r.failed == nil {
			r.failed = err
		} else {
			s.stopped = ctx.Err() != nil
		}
		r.mu.Unlock()
	}
	s.note.end(s, res, err)
	s.event(engine.StepEnded{Step: s.number, Cached: s.cached, Err: err, Took: time.Since(s.started)})
	return res, err
}

// start gives a node its step, with the next number.
func (r *run) start(n *graph.Node, p *pending, inputs []engine.Result) *step {
	from := r.inputSteps(n)
	r.starts.Lock()
	defer r.starts.Unlock()
	s := &step{run: r, node: n, index: r.steps, number: r.steps + 1, started: time.Now()}
	p.step = s.index
	r.steps++
	s.note = r.notes.begin(s, from, inputs)
	s.event(engine.StepStarted{Step: s.number, Op: n.Op().Name(), Call: n.Call(), At: s.started})
	return s
}

// inputs resolves what a node needs. A chain of nodes is gone down without
// recursion into goroutines for each.
func (r *run) inputs(ctx context.Context, n *graph.Node) ([]engine.Result, error) {
	nodes := n.Inputs()
	out := make([]engine.Result, len(nodes))
	if len(nodes) == 1 {
		var err error
		out[0], err = r.resolve(ctx, nodes[0])
		return out, err
	}
	g, ctx := errgroup.WithContext(ctx)
	for i, in := range nodes {
		g.Go(func() (err error) {
			out[i], err = r.resolve(ctx, in)
			return err
		})
	}
	return out, g.Wait()
}

// inputSteps gives the steps that made what a node needs, which are done.
func (r *run) inputSteps(n *graph.Node) []int {
	if r.notes == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []int
	for _, in := range n.Inputs() {
		out = append(out, r.pending[in].step)
	}
	return out
}

// ended gives an error that says that the context ended, if it did: some of what
// was interrupted says only that.
func ended(ctx context.Context, err error) error {
	if ctx.Err() == nil || errors.Is(err, ctx.Err()) {
		return err
	}
	return fmt.Errorf("%w: %w", ctx.Err(), err)
}

// wrap names the call of a node, once.
func wrap(n *graph.Node, err error) error {
	var ce *graph.CallError
	if errors.As(err, &ce) {
		return err
	}
	return &graph.CallError{Call: n.Call(), Err: err}
}

// step is one node that is being resolved.
type step struct {
	run     *run
	node    *graph.Node
	index   int
	number  int // as events have it, from 1
	started time.Time
	cached  bool
	stopped bool  // it ended because another step failed
	note    *note // nil unless the run is remembered
}

// event tells of an event, and notes what is to be remembered of it.
func (s *step) event(ev engine.Event) {
	switch ev := ev.(type) {
	case engine.Placed:
		s.note.placed(ev.Placements)
	case engine.Written:
		s.note.wrote(ev)
	case engine.Uncached:
		s.note.uncached(ev.Miss)
	}
	s.run.events.send(ev)
}

// uncached tells why the step's result was not there.
func (s *step) uncached(c engine.Cause, format string, args ...any) {
	s.event(engine.Uncached{Step: s.number, Miss: engine.Miss{Cause: c, Text: fmt.Sprintf(format, args...)}})
}

// place tells where the step put things, unless nobody listens.
func (s *step) place(all []compose.Placement) {
	if len(all) > 0 && (s.note != nil || s.run.events.sink != nil) {
		s.event(engine.Placed{Step: s.number, Placements: engine.NewPlacements(all)})
	}
}

func (s *step) engine() *Engine { return s.run.engine }

// resolve carries out the op.
func (s *step) resolve(ctx context.Context, in []engine.Result) (engine.Result, error) {
	switch op := s.node.Op().(type) {
	case graph.Scratch:
		return scratch(), nil
	case graph.From:
		return s.from(ctx, op)
	case graph.Host:
		return s.host(ctx, op)
	case graph.Copy:
		return s.copy(ctx, op, in[0], in[1])
	case graph.NewFile:
		return s.newFile(ctx, op, in[0])
	case graph.NewDirectory:
		return s.newDirectory(ctx, op, in[0])
	case graph.Symlink:
		return s.symlink(ctx, op, in[0])
	case graph.Remove:
		return s.remove(ctx, op, in[0])
	case graph.Rename:
		return s.rename(ctx, op, in[0])
	case graph.Hardlink:
		return s.hardlink(ctx, op, in[0])
	case graph.SetAttr:
		return s.setAttr(ctx, op, in[0])
	case graph.Sub:
		return s.sub(ctx, op, in[0])
	case graph.Merge:
		return s.merge(ctx, in)
	case graph.Diff:
		return s.diff(ctx, in[0], in[1])
	case graph.Configure:
		return s.configure(op, in[0])
	case graph.Exec:
		return s.exec(ctx, op, in)
	}
	return engine.Result{}, fmt.Errorf("this engine does not know the op %s", s.node.Op().Name())
}

// scratch is the result that others start from.
func scratch() engine.Result {
	t := tree.Empty()
	return engine.Result{Tree: t, Config: image.NewConfig(image.HostPlatform()), Base: engine.Base{Tree: t}}
}

// events gives events to a sink, one at a time.
type events struct {
	mu   sync.Mutex
	sink engine.Sink
}

func newEvents(s engine.Sink) *events { return &events{sink: s} }

func (e *events) send(ev engine.Event) {
	if e.sink == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sink.Event(ev)
}
