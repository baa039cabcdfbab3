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
	"github.com/inlaybuild/inlay/engine/runs"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sync/errgroup"
)

// Resolve makes the result of a node: its inputs first, in parallel. When runs
// are remembered, this is one: see [Engine.Begin] for several that are one.
func (e *Engine) Resolve(ctx context.Context, n *graph.Node, s engine.Sink) (engine.Result, error) {
	r := e.Begin(e.options.Asked)
	res, err := r.resolve(ctx, n, s)
	return res, errors.Join(err, r.End(ctx, err))
}

// run is one resolution of a graph, which may be one of several of a run.
type run struct {
	root     *graph.Node            // what is resolved
	remaking bool                   // what another run has made, as it was made
	attempts map[*graph.Node]string // of the processes that it ran
	*history
	engine *Engine
	events *events
	failed error // of the first step that failed

	// onStop has f called when who asked for the resolution does not want it any
	// more, with the cause; not when a step failed.
	onStop func(f func(cause error)) (stop func() bool)
}

// history is what the resolutions of a run have in common.
type history struct {
	notes *notes // nil unless the run is remembered

	mu      sync.Mutex
	pending map[*graph.Node]*pending
	numbers map[*graph.Node]int // indices of steps, given before any is carried out
	next    int
	found   map[*graph.Node]*sharedCache  // whose results came from caches
	left    map[*graph.Node]engine.Result // what failed steps left at a remote

	contents map[*graph.Node]digest.Digest // of new files
	brought  map[digest.Digest]int64       // those that the store did not have, until a step takes them as its own
}

func newHistory() *history {
	return &history{pending: map[*graph.Node]*pending{}, numbers: map[*graph.Node]int{}, found: map[*graph.Node]*sharedCache{},
		contents: map[*graph.Node]digest.Digest{}, brought: map[digest.Digest]int64{}}
}

// pending is a node that somebody resolves, or that is resolved.
type pending struct {
	run    *run
	done   chan struct{}
	result engine.Result
	err    error
}

// plan gives numbers to all steps that there will be, inputs first. What failed
// before is done again, as another step.
func (r *run) plan(n *graph.Node) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for m := range n.All() {
		if p, ok := r.pending[m]; ok {
			select {
			case <-p.done:
				if p.err == nil {
					continue
				}
				delete(r.pending, m)
			default: // another resolution is at it
				continue
			}
		}
		delete(r.numbers, m)
	}
	r.number(n)
}

// number gives numbers to the steps that have none. The caller holds mu.
func (r *run) number(n *graph.Node) {
	for m := range n.All() {
		if _, ok := r.numbers[m]; ok {
			continue
		}
		var from []int
		for _, in := range m.Inputs() {
			from = append(from, r.numbers[in])
		}
		r.numbers[m] = r.next
		r.next++
		r.notes.plan(r, m, r.numbers[m], from)
	}
}

func (r *run) resolve(ctx context.Context, n *graph.Node) (engine.Result, error) {
	for {
		r.mu.Lock()
		p, ok := r.pending[n]
		if !ok {
			p = &pending{run: r, done: make(chan struct{})}
			r.pending[n] = p
		}
		r.mu.Unlock()
		if !ok {
			p.result, p.err = r.perform(ctx, n)
			close(p.done)
			return p.result, p.err
		}
		select {
		case <-p.done:
		case <-ctx.Done():
			return engine.Result{}, ctx.Err()
		}
		if p.err == nil || p.run == r || !errors.Is(p.err, context.Canceled) {
			return p.result, p.err
		}
		// Another resolution of this run was canceled, and not this one.
		r.mu.Lock()
		if r.pending[n] == p {
			delete(r.pending, n)
		}
		r.mu.Unlock()
	}
}

func (r *run) perform(ctx context.Context, n *graph.Node) (engine.Result, error) {
	inputs, err := r.inputs(ctx, n)
	if err == nil {
		inputs, err = r.fitting(ctx, n, inputs)
	}
	if err != nil {
		return engine.Result{}, err
	}
	s := r.start(n, inputs)
	res, err := s.resolve(ctx, inputs)
	res = r.seen(n, inputs, res)
	if err != nil {
		res, err = s.overcome(ctx, res, err)
	}
	if err != nil {
		s.stopped = ctx.Err() != nil
		err = wrap(n, ended(ctx, err))
		r.mu.Lock()
		if r.failed == nil {
			r.failed = err
		}
		r.mu.Unlock()
	} else if !s.cached && !s.missed {
		s.uncached(engine.MadeEveryTime, "quicker to make again")
	}
	s.note.end(s, inputs, res, err)
	s.event(engine.StepEnded{Step: s.number, Cached: s.cached, Err: err, Took: time.Since(s.started)})
	return res, err
}

// start begins the step of a node.
func (r *run) start(n *graph.Node, inputs []engine.Result) *step {
	r.mu.Lock()
	index := r.numbers[n]
	r.mu.Unlock()
	s := &step{run: r, node: n, number: index + 1, started: time.Now()}
	s.note = r.notes.begin(s, index, inputs)
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
	number  int // from 1
	started time.Time
	cached  bool
	missed  bool          // it was told why it is not cached
	stopped bool          // it was canceled
	left    *tree.Tree    // what it left when it failed; nil if that is not known
	process *runs.Process // what became of its process; nil if there was none
	ran     *runs.LogName // of a cached exec: where its log is
	note    *note         // nil unless the run is remembered
	attempt string        // of a process that a remote ran
}

// event tells of an event, and notes what is to be remembered of it.
func (s *step) event(ev engine.Event) {
	switch ev := ev.(type) {
	case engine.Placed:
		s.note.placed(ev.Placements)
	case engine.Written:
		s.note.wrote(ev)
	case engine.Uncached:
		s.missed = true
		s.note.uncached(ev.Miss)
	case engine.FromCache:
		s.note.fromCache(ev.Cache)
	case engine.Lowered:
		s.note.lowered(ev.Lowering)
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
		r, err := s.from(ctx, op)
		if err == nil {
			s.engine().rememberImage(r)
		}
		return r, err
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
	case graph.Terminal:
		return s.terminal(ctx, op, in)
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

// audience is who is told what happens to an engine, and not in a step alone: the
// resolution that began last.
type audience struct {
	mu     sync.Mutex
	events *events // nil before the first one
}

func (a *audience) listen(ev *events) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.events = ev
}

func (a *audience) tell(ev engine.Event) {
	a.mu.Lock()
	to := a.events
	a.mu.Unlock()
	if to != nil {
		to.send(ev)
	}
}

func (e *events) send(ev engine.Event) {
	if e.sink == nil {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.sink.Event(ev)
}
