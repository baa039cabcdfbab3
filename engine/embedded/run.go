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
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/inlaybuild/inlay/tree"
)

// The states of runs and of their steps that this engine writes, beside
// [store.Running] and [store.Crashed].
const (
	StateDone   store.RunState = "done"   // it was carried out
	StateCached store.RunState = "cached" // its result was there
	StateFailed store.RunState = "failed"
)

// RunRecord is the body of a run in the store, as JSON.
type RunRecord struct {
	Asked string // what the user asked for
	Call  string // what made the node
}

// StepRecord is the body of a step of a run in the store, as JSON. The step has
// the digests of the first input's tree and of the result; what its process
// wrote is in its log, when it ran, and in Exec.
type StepRecord struct {
	Op     string
	Call   string
	Inputs []int        `json:",omitempty"` // steps that made the inputs
	Error  string       `json:",omitempty"`
	Exec   *engine.Exec `json:",omitempty"`
}

// notes is what is written down of a run. A nil one writes nothing.
type notes struct {
	engine *Engine
	run    *store.Run

	mu    sync.Mutex
	steps []*note
}

// note is what is written down of one step.
type note struct {
	notes  *notes
	step   store.Step
	record StepRecord
	before tree.Tree
	after  *tree.Tree // nil when there is none
	done   bool
}

// record begins to write down a run.
func (e *Engine) record(ctx context.Context, n *graph.Node) (*notes, error) {
	if e.store.ReadOnly() {
		return nil, nil
	}
	asked := e.options.Asked
	if asked == "" {
		asked = n.Call()
	}
	data, err := json.Marshal(RunRecord{Asked: asked, Call: n.Call()})
	if err != nil {
		return nil, fmt.Errorf("encode the record of a run: %w", err)
	}
	r, err := e.store.NewRun(ctx, data)
	if err != nil {
		return nil, err
	}
	return &notes{engine: e, run: r}, nil
}

// begin notes that a step began.
func (ns *notes) begin(s *step, at time.Time, inputs []int, in []engine.Result) *note {
	if ns == nil {
		return nil
	}
	n := &note{
		notes:  ns,
		step:   store.Step{Index: s.index, Name: s.node.Op().Name(), State: store.Running, Started: at},
		record: StepRecord{Op: s.node.Op().Name(), Call: s.node.Call(), Inputs: inputs},
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
	n.step.State = StateDone
	switch {
	case err != nil:
		n.step.State = StateFailed
		n.record.Error = err.Error()
		return
	case s.cached:
		n.step.State = StateCached
	}
	if r.Changes == nil {
		n.after = &r.Tree
	}
	if _, ok := s.node.Op().(graph.Exec); ok {
		n.record.Exec = r.Exec
	}
}

// log opens the log of a step whose process is about to run, and writes the step
// down, so that others see it. It gives nil when nothing is remembered.
func (n *note) log(ctx context.Context) (io.WriteCloser, error) {
	if n == nil {
		return nil, nil
	}
	n.notes.mu.Lock()
	err := n.put(ctx, digest.Digest{}, digest.Digest{})
	n.notes.mu.Unlock()
	if err != nil {
		return nil, err
	}
	return n.notes.run.Log(n.step.Index)
}

// put writes the step into the store.
func (n *note) put(ctx context.Context, before, after digest.Digest) error {
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
	state := StateDone
	if failed != nil {
		state = StateFailed
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
	for _, n := range ns.steps {
		trees = append(trees, n.before)
		if n.after != nil {
			trees = append(trees, *n.after)
		}
	}
	if err := ns.engine.keepTrees(ctx, trees); err != nil {
		return err
	}
	for _, n := range ns.steps {
		if !n.done { // canceled together with others
			n.step.State, n.step.Ended = StateFailed, time.Now()
		}
		var before, after digest.Digest
		if n.record.Inputs != nil {
			before = n.before.Digest()
		}
		if n.after != nil {
			after = n.after.Digest()
		}
		if err := n.put(ctx, before, after); err != nil {
			return err
		}
	}
	return nil
}

// keepTrees makes sure that the store has trees, by one commit. A tree that is
// there costs a look for its root.
func (e *Engine) keepTrees(ctx context.Context, trees []tree.Tree) (err error) {
	byDigest := map[digest.Digest]tree.Tree{}
	var ds []digest.Digest
	for _, t := range trees {
		d := t.Digest()
		if _, ok := byDigest[d]; !ok {
			byDigest[d] = t
			ds = append(ds, d)
		}
	}
	missing, err := e.store.MissingNodes(ctx, ds)
	if err != nil || len(missing) == 0 {
		return err
	}
	sv, err := e.save(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sv.ingest.Abort()) }()
	for _, d := range missing {
		if _, err := sv.add(ctx, byDigest[d]); err != nil {
			return err
		}
	}
	return sv.commit(ctx, store.Changes{})
}
