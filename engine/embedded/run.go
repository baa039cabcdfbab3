package embedded

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/runs"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/inlaybuild/inlay/tree"
)

// notes is what is written down of a run. A nil one writes nothing.
type notes struct {
	engine *Engine
	events *events
	run    *store.Run

	mu    sync.Mutex
	steps []*note
}

// note is what is written down of one step.
type note struct {
	notes  *notes
	step   store.Step
	record runs.StepRecord
	before tree.Tree
	after  *tree.Tree // nil when there is none
	done   bool
	put    bool // the store has it as it is, but for its trees
}

// record begins to write down a run.
func (e *Engine) record(ctx context.Context, n *graph.Node, ev *events) (*notes, error) {
	if e.store.ReadOnly() {
		return nil, nil
	}
	asked := e.options.Asked
	if asked == "" {
		asked = n.Call()
	}
	data, err := json.Marshal(runs.RunRecord{Asked: asked, Call: n.Call()})
	if err != nil {
		return nil, fmt.Errorf("encode the record of a run: %w", err)
	}
	r, err := e.store.NewRun(ctx, data)
	if err != nil {
		return nil, err
	}
	return &notes{engine: e, events: ev, run: r}, nil
}

// begin notes that a step began.
func (ns *notes) begin(s *step, inputs []int, in []engine.Result) *note {
	if ns == nil {
		return nil
	}
	n := &note{
		notes:  ns,
		step:   store.Step{Index: s.index, Name: s.node.Op().Name(), State: store.Running, Started: s.started},
		record: runs.StepRecord{Op: s.node.Op().Name(), Call: s.node.Call(), Inputs: inputs},
		before: tree.Empty(),
	}
	if len(in) > 0 {
		n.before = in[0].Tree
	}
	ns.mu.Lock()
	defer ns.mu.Unlock()
	ns.steps = append(ns.steps, n)
	return n
}

// end notes how a step ended.
func (n *note) end(s *step, r engine.Result, err error) {
	if n == nil {
		return
	}
	n.notes.mu.Lock()
	defer n.notes.mu.Unlock()
	n.done = true
	n.step.Ended = time.Now()
	n.put = false
	n.step.State = runs.Done
	switch {
	case err != nil:
		n.step.State = runs.Failed
		if s.stopped {
			n.step.State = runs.Canceled
		}
		n.record.Error = err.Error()
		return
	case s.cached:
		n.step.State = runs.Cached
	}
	if r.Changes == nil {
		n.after = &r.Tree
	}
	if _, ok := s.node.Op().(graph.Exec); ok {
		n.record.Exec = r.Exec
	}
}

// placed notes where the step put things.
func (n *note) placed(p engine.Placements) {
	if n != nil {
		n.notes.mu.Lock()
		defer n.notes.mu.Unlock()
		n.record.Placed = (*runs.Placed)(&p)
	}
}

// uncached notes why the step's result was not there.
func (n *note) uncached(m engine.Miss) {
	if n != nil {
		n.notes.mu.Lock()
		defer n.notes.mu.Unlock()
		n.record.Uncached = &m
	}
}

// wrote notes what the step brought into the store.
func (n *note) wrote(w engine.Written) {
	if n != nil {
		n.notes.mu.Lock()
		defer n.notes.mu.Unlock()
		n.record.Written.Blobs += w.Blobs
		n.record.Written.Nodes += w.Nodes
	}
}

// log opens the log of a step whose process is about to run, and writes all steps
// down, so that others see them, and they are known should the run be killed;
// their trees are not. It gives nil when nothing is remembered.
func (n *note) log(ctx context.Context) (io.WriteCloser, error) {
	if n == nil {
		return nil, nil
	}
	n.notes.mu.Lock()
	for _, m := range n.notes.steps {
		if m.put {
			continue
		}
		if err := m.write(ctx, digest.Digest{}, digest.Digest{}); err != nil {
			n.notes.mu.Unlock()
			return nil, err
		}
		m.put = true
	}
	n.notes.mu.Unlock()
	return n.notes.run.Log(n.step.Index)
}

// write writes the step into the store.
func (n *note) write(ctx context.Context, before, after digest.Digest) error {
	data, err := json.Marshal(n.record)
	if err != nil {
		return fmt.Errorf("encode the record of a step: %w", err)
	}
	step := n.step
	step.Before, step.After, step.Data = before, after, data
	return n.notes.run.PutStep(ctx, step)
}

// end writes down all steps with their trees, and how the run ended. It does so
// even when the run was canceled.
func (ns *notes) end(ctx context.Context, failed error) error {
	if ns == nil {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	state := runs.Done
	if failed != nil {
		state = runs.Failed
	}
	err := ns.putSteps(ctx)
	if e := ns.run.End(ctx, state); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("write down the run %s: %w", ns.run.Name(), err)
	}
	return nil
}

func (ns *notes) putSteps(ctx context.Context) error {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	var trees []tree.Tree
	var of []*note // whose tree it is; a step's first input is another step's tree
	for _, n := range ns.steps {
		if n.record.Inputs != nil {
			trees, of = append(trees, n.before), append(of, n)
		}
		if n.after != nil {
			trees, of = append(trees, *n.after), append(of, n)
		}
	}
	wrote, err := ns.engine.keepTrees(ctx, trees)
	if err != nil {
		return err
	}
	for i, bytes := range wrote {
		if bytes > 0 {
			of[i].record.Written.Nodes += bytes
			ns.events.send(engine.Written{Step: of[i].step.Index + 1, Nodes: bytes})
		}
	}
	for _, n := range ns.steps {
		if !n.done { // canceled together with others
			n.step.State, n.step.Ended = runs.Canceled, time.Now()
		}
		var before, after digest.Digest
		if n.record.Inputs != nil {
			before = n.before.Digest()
		}
		if n.after != nil {
			after = n.after.Digest()
		}
		if err := n.write(ctx, before, after); err != nil {
			return err
		}
	}
	return nil
}

// keepTrees makes sure that the store has trees, by one commit. A tree that is
// there costs a look for its root. It gives for each tree how many bytes of nodes
// it brought that neither the store nor a tree before it had.
func (e *Engine) keepTrees(ctx context.Context, trees []tree.Tree) (wrote []int64, err error) {
	wrote = make([]int64, len(trees))
	first := map[digest.Digest]int{}
	var ds []digest.Digest
	for i, t := range trees {
		d := t.Digest()
		if _, ok := first[d]; !ok {
			first[d] = i
			ds = append(ds, d)
		}
	}
	missing, err := e.store.MissingNodes(ctx, ds)
	if err != nil || len(missing) == 0 {
		return wrote, err
	}
	sv, err := e.save(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, sv.ingest.Abort()) }()
	type origin struct {
		of   int
		size int64
	}
	nodes := map[digest.Digest]origin{}
	var new []digest.Digest
	for _, d := range missing {
		sv.queued = func(node digest.Digest, size int) {
			if _, ok := nodes[node]; !ok {
				nodes[node] = origin{first[d], int64(size)}
				new = append(new, node)
			}
		}
		if _, err := sv.add(ctx, trees[first[d]]); err != nil {
			return nil, err
		}
	}
	if new, err = e.store.MissingNodes(ctx, new); err != nil {
		return nil, err
	}
	for _, d := range new {
		wrote[nodes[d].of] += nodes[d].size
	}
	return wrote, sv.commit(ctx, store.Changes{})
}
