package embedded

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/runs"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/sparsejson"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/inlaybuild/inlay/tree"
)

// notes is what is written down of a run, as it goes: what changed is put into
// the store a little later, together with what changed meanwhile, by a goroutine
// that no step waits for. A nil one writes nothing.
type notes struct {
	engine *Engine
	run    *ownRun
	record runs.RunRecord

	writing sync.Mutex // by one goroutine at a time

	mu      sync.Mutex
	events  *events // of the last resolution
	steps   []*note // by index
	changed []*note
	timer   *time.Timer // after it, what changed is written
	waits   timing
	logged  int64 // bytes of logs
	told    bool  // that something cannot be written
	over    bool
}

// timing says what the timer does for what changed.
type timing int

const (
	idle  timing = iota // nothing: there is nothing to be written
	set                 // it will go off
	fired               // it went off, and all is being written
	again               // the same, but something changed since
	hurry               // the same, and is to be written at once
)

// settle is how long a change waits for others, so that they are written at once.
// It is part of the time that passes before others see it.
const settle = 25 * time.Millisecond

// anew is how long what could not be written waits for the next attempt.
const anew = time.Second

// record begins to write down a run; nil if it is not to be remembered.
func (e *Engine) record(ctx context.Context, asked string, n *graph.Node, ev *events) (*notes, error) {
	if !e.options.Record || e.store.ReadOnly() {
		return nil, nil
	}
	if asked == "" {
		asked = n.Call()
	}
	ns := &notes{
		engine: e, record: runs.RunRecord{Asked: runs.Text(asked), Call: runs.Text(n.Call()), Engine: e.options.Name}, events: ev,
	}
	data, err := sparsejson.Marshal(ns.record)
	if err != nil {
		return nil, fmt.Errorf("encode the record of a run: %w", err)
	}
	r, err := e.store.NewRun(data)
	if err != nil {
		return nil, err
	}
	ns.run = &ownRun{r, &ownHome{e.withRuns}}
	ctx = context.WithoutCancel(ctx)
	ns.mu.Lock()
	defer ns.mu.Unlock()
	ns.timer = time.AfterFunc(settle, func() { ns.settled(ctx) })
	ns.waits = set
	return ns, nil
}

// settled writes what changed before the timer went off.
func (ns *notes) settled(ctx context.Context) {
	ns.writing.Lock()
	defer ns.writing.Unlock()
	ns.mu.Lock()
	over := ns.over
	ns.waits = fired
	ns.mu.Unlock()
	if over {
		return
	}
	err := ns.write(ctx, store.RunChanges{}) // it has told
	ns.mu.Lock()
	defer ns.mu.Unlock()
	switch {
	case err != nil:
		ns.wait(anew)
	case ns.waits == again:
		ns.wait(settle)
	case ns.waits == hurry:
		ns.wait(0)
	default:
		ns.waits = idle
	}
}

// wait sets the timer. The caller holds mu.
func (ns *notes) wait(d time.Duration) {
	ns.waits = idle
	if !ns.over {
		ns.timer.Reset(d)
		ns.waits = set
	}
}

// change notes that a step is not in the store as it is. The caller holds mu.
func (ns *notes) change(n *note) {
	if !n.changed {
		n.changed = true
		ns.changed = append(ns.changed, n)
	}
	switch ns.waits {
	case idle:
		ns.wait(settle)
	case fired:
		ns.waits = again
	}
}

// soon has what changed put into the store at once: a log begins, which nobody finds
// without its run.
func (ns *notes) soon() {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	switch ns.waits {
	case set:
		if ns.timer.Stop() { // it has not gone off yet
			ns.wait(0)
		}
	case again:
		ns.waits = hurry
	}
}

// plan notes that there will be a step.
func (ns *notes) plan(r *run, n *graph.Node, index int, inputs []int) {
	if ns == nil {
		return
	}
	ns.mu.Lock()
	defer ns.mu.Unlock()
	s := &note{
		notes: ns, of: r,
		step:   store.Step{Index: index, Name: n.Op().Name(), State: runs.Waiting},
		record: runs.StepRecord{Op: n.Op().Name(), Call: runs.Text(n.Call()), Inputs: inputs},
	}
	if ns.engine.where != nil {
		s.record.Node = graph.Encode(n.Op())
	}
	ns.steps = append(ns.steps, s)
	ns.events = r.events
	ns.change(s)
}

// begin notes that a step began.
func (ns *notes) begin(s *step, index int, in []engine.Result) *note {
	if ns == nil {
		return nil
	}
	ns.mu.Lock()
	defer ns.mu.Unlock()
	n := ns.steps[index]
	n.step.State, n.step.Started = store.Running, s.started
	if len(in) > 0 && !in[0].Away {
		n.before = &in[0].Tree
	}
	ns.change(n)
	return n
}

// lowered notes how a remote made the tree of a step that has ended.
func (ns *notes) lowered(index int, l engine.Lowering) {
	if ns == nil {
		return
	}
	ns.mu.Lock()
	defer ns.mu.Unlock()
	n := ns.steps[index]
	n.record.Lowered = append(n.record.Lowered, l)
	ns.change(n)
}

// resolved notes what became of the steps of a resolution that ended.
func (ns *notes) resolved(r *run) {
	if ns == nil {
		return
	}
	ns.mu.Lock()
	defer ns.mu.Unlock()
	for _, n := range ns.steps {
		if n.of != r {
			continue
		}
		switch n.step.State {
		case runs.Waiting:
			n.step.State = runs.Skipped
		case store.Running: // canceled together with others
			n.step.State, n.step.Ended = runs.Canceled, time.Now()
		default:
			continue
		}
		ns.change(n)
	}
}

// sink gives where the events of the last resolution go.
func (ns *notes) sink() *events {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	return ns.events
}

// skip notes that the steps of a resolution will not begin.
func (ns *notes) skip(r *run) {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	for _, n := range ns.steps {
		if n.of == r {
			n.step.State = runs.Skipped
			ns.change(n)
		}
	}
}

// end writes down how the run ended, by the commit that writes its last steps.
func (ns *notes) end(ctx context.Context, failed error, canceled bool) error {
	ns.mu.Lock()
	if ns.over {
		ns.mu.Unlock()
		return nil
	}
	ns.over = true
	ns.timer.Stop()
	for _, n := range ns.steps {
		if n.partly { // its tree may have been brought since
			ns.change(n)
		}
	}
	ns.mu.Unlock()
	state := runs.Done
	switch {
	case failed != nil && (canceled || errors.Is(failed, context.Canceled)):
		state = runs.Canceled
	case failed != nil:
		state = runs.Failed
	}
	var data []byte
	if failed != nil {
		ns.record.Error = runs.Text(failed.Error())
		var err error
		if data, err = sparsejson.Marshal(ns.record); err != nil {
			return fmt.Errorf("encode the record of a run: %w", err)
		}
	}
	if ns.trims() { // while the run goes on, so that it is not forgotten itself
		if err := ns.flush(ctx); err == nil {
			_ = ns.engine.trimRuns(ctx, ns) // the next one may
		}
	}
	err := ns.flushWith(ctx, store.RunChanges{Ended: state, Data: data})
	if e := ns.run.End(ctx, state, data); err == nil && e != nil {
		ns.tell(e)
	}
	return nil
}

// tell says, once, that something cannot be written down.
func (ns *notes) tell(err error) {
	ns.mu.Lock()
	told, ev := ns.told, ns.events
	ns.told = true
	ns.mu.Unlock()
	if !told {
		ev.send(engine.NotKept{Step: -1, What: "steps of the run", Err: err})
	}
}

// flush puts what changed into the store, with its trees.
func (ns *notes) flush(ctx context.Context) error { return ns.flushWith(ctx, store.RunChanges{}) }

// flushWith is flush with other changes of the run.
func (ns *notes) flushWith(ctx context.Context, ch store.RunChanges) error {
	ns.writing.Lock()
	defer ns.writing.Unlock()
	return ns.write(ctx, ch)
}

// write is flushWith for a caller that holds writing.
func (ns *notes) write(ctx context.Context, ch store.RunChanges) error {
	ns.mu.Lock()
	list := ns.changed
	ns.changed = nil
	batch := make([]note, len(list))
	for i, n := range list {
		n.changed = false
		batch[i] = *n
	}
	ns.mu.Unlock()
	if len(batch) == 0 && ch.Ended == "" {
		return nil
	}
	err := ns.put(ctx, list, batch, ch)
	if err != nil {
		ns.mu.Lock()
		for _, n := range list {
			if !n.changed {
				n.changed = true
				ns.changed = append(ns.changed, n)
			}
		}
		if ns.waits == idle {
			ns.wait(anew)
		}
		ns.mu.Unlock()
		_ = ns.run.Begin() // it may be only a tree that cannot be written
		ns.tell(err)
	}
	return err
}

// put puts a batch of steps, copies of those of the list, into the store, together
// with other changes of the run.
func (ns *notes) put(ctx context.Context, list []*note, batch []note, ch store.RunChanges) error {
	var trees []tree.Tree
	var of []int // whose tree it is; a step's first input is another step's tree
	var at []**tree.Tree
	for i := range batch {
		for _, t := range []**tree.Tree{&batch[i].before, &batch[i].after} {
			if *t != nil {
				trees, of, at = append(trees, **t), append(of, i), append(at, t)
			}
		}
	}
	var wrote []int64
	ch.Steps = make([]store.Step, len(batch))
	err := ns.engine.keepTrees(ctx, ns.run, trees, func(brings []int64) (store.RunChanges, error) {
		wrote = brings
		for i, bytes := range brings {
			if bytes < 0 {
				batch[of[i]].elsewhere(at[i])
				ns.mu.Lock()
				list[of[i]].partly = true
				ns.mu.Unlock()
				continue
			}
			batch[of[i]].record.Written.Nodes += bytes
		}
		var err error
		for i := range batch {
			if ch.Steps[i], err = batch[i].encoded(); err != nil {
				return store.RunChanges{}, err
			}
		}
		return ch, nil
	})
	if err != nil {
		return err
	}
	for i, bytes := range wrote {
		if bytes > 0 {
			n := list[of[i]]
			ns.mu.Lock()
			n.record.Written.Nodes += bytes
			ns.mu.Unlock()
			n.of.events.send(engine.Written{Step: n.step.Index + 1, Nodes: bytes})
		}
	}
	return nil
}

// fewRuns is a limit of runs that is kept to the number.
const fewRuns = 20

// trims tells whether to look for runs beyond the limits: after a run with large
// logs, and otherwise now and then, as looking takes longer than many a run.
func (ns *notes) trims() bool {
	const often = 8
	return ns.logs() >= muchLogged || ns.engine.keepRuns().KeepRuns < fewRuns || rand.IntN(often) == 0
}

// muchLogged is from how many bytes of logs on a run has large ones.
const muchLogged = 1 << 20

// logs tells how many bytes of logs the run has.
func (ns *notes) logs() int64 {
	ns.mu.Lock()
	defer ns.mu.Unlock()
	return ns.logged
}

// trimRuns forgets runs beyond the limits. How large all logs are, which takes longest to
// find out, it seldom asks after a run with little logs, and still less after one without.
func (e *Engine) trimRuns(ctx context.Context, ns *notes) error {
	o := e.keepRuns()
	slack := 0
	if o.KeepRuns >= fewRuns {
		slack = min(20, o.KeepRuns/5)
	}
	n, err := e.store.CountRuns()
	if err != nil {
		return err
	}
	often := 8
	switch logged := ns.logs(); {
	case logged == 0:
		often = 64
	case logged >= muchLogged:
		often = 1
	}
	if rand.IntN(often) > 0 {
		o.KeepLogs = 0
	}
	if o.KeepLogs > 0 || o.KeepRuns > 0 && n > o.KeepRuns+slack {
		_, err = e.store.TrimRuns(ctx, o)
	}
	return err
}

// keepRuns gives the limits of runs.
func (e *Engine) keepRuns() store.GCOptions {
	return store.GCOptions{KeepRuns: limitOf(e.options.KeepRuns, 100), KeepLogs: limitOf(e.options.KeepLogs, 1<<30)}
}

// limitOf gives a limit as the store has it, for which 0 is none.
func limitOf[T int | int64](n, byDefault T) T {
	switch {
	case n == 0:
		return byDefault
	case n < 0:
		return 0
	}
	return n
}
