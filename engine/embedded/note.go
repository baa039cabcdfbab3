package embedded

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/runs"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/sparsejson"
	"github.com/inlaybuild/inlay/internal/steplog"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/inlaybuild/inlay/tree"
)

// note is what is written down of one step. The notes' mu guards it; what its
// pointers lead to does not change.
type note struct {
	notes   *notes
	of      *run
	step    store.Step
	record  runs.StepRecord
	before  *tree.Tree // nil when there is none
	after   *tree.Tree // the same
	changed bool       // it is among those that changed
	partly  bool       // it was written without a tree of which parts are in a cache
}

// meant notes which step a source meant, if the step is to be made again from what is
// noted: "last" means another one then.
func (n *note) meant(op graph.From, f runs.Found, st *runs.Step) {
	if n == nil {
		return
	}
	n.notes.mu.Lock()
	defer n.notes.mu.Unlock()
	if n.record.Node == nil {
		return
	}
	op.Source = runs.Name{Run: f.Run.Name, Step: strconv.Itoa(st.Number())}.String()
	n.record.Node = graph.Encode(op)
	n.notes.change(n)
}

// encoded gives the step as the store has it. Its trees are in the store.
func (n *note) encoded() (store.Step, error) {
	data, err := sparsejson.Marshal(n.record)
	if err != nil {
		return store.Step{}, fmt.Errorf("encode the record of a step: %w", err)
	}
	step := n.step
	step.Data = data
	if n.before != nil {
		step.Before = n.before.Digest()
	}
	if n.after != nil {
		step.After = n.after.Digest()
	}
	return step, nil
}

// elsewhere leaves out one of the trees of the step, which the store does not have.
func (n *note) elsewhere(t **tree.Tree) {
	if t == &n.after {
		n.record.Elsewhere = true
	}
	*t = nil
}

// prepareLog has the place for a log made while the step prepares its process.
func (n *note) prepareLog() {
	if n != nil {
		go func() { _ = n.notes.run.PrepareLogs() }() // the log says what is wrong
	}
}

// fromCache notes where the result of the step came from.
func (n *note) fromCache(name string) {
	if n != nil {
		n.notes.mu.Lock()
		defer n.notes.mu.Unlock()
		n.record.Cache = name
	}
}

// end notes how a step ended.
func (n *note) end(s *step, in []engine.Result, r engine.Result, err error) {
	if n == nil {
		return
	}
	n.notes.mu.Lock()
	defer n.notes.mu.Unlock()
	defer n.notes.change(n)
	n.step.Ended = time.Now()
	n.record.Process, n.record.Log, n.record.Attempt = s.process, s.ran, s.attempt
	if err != nil {
		n.step.State = runs.Failed
		if s.stopped {
			n.step.State = runs.Canceled
		}
		n.record.Error = runs.Text(engine.ErrorText(err))
		if n.notes.engine.where == nil {
			n.after = s.left
		}
		return
	}
	n.step.State = runs.Done
	if s.cached {
		n.step.State = runs.Cached
	}
	if r.Changes == nil && !r.Away {
		n.after = &r.Tree
	}
	if _, ok := s.node.Op().(graph.Exec); ok {
		n.record.Exec = r.Exec
	}
	if len(in) == 0 || !sameImage(in[0], r) {
		n.record.Image = imageOf(r)
	}
}

// sameImage tells whether two results have the same config and the same base.
func sameImage(a, b engine.Result) bool {
	x, y := a.Base, b.Base
	return bytes.Equal(a.Config.Bytes(), b.Config.Bytes()) && x.Config == y.Config && x.Origin == y.Origin &&
		(x.Image == nil) == (y.Image == nil) && (x.Image == nil || x.Image.Digest == y.Image.Digest) &&
		len(x.Layers) == len(y.Layers) && tree.Equal(x.Tree, y.Tree)
}

func imageOf(r engine.Result) *runs.Image {
	i := &runs.Image{Config: r.Config.Bytes()}
	if b := r.Base; b.Image != nil || len(b.Layers) > 0 {
		i.Base = &runs.Base{Tree: b.Tree.Digest(), Layers: b.Layers, Image: b.Image, Config: b.Config, Index: b.Index, Origin: b.Origin}
	}
	return i
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
		n.record.Uncached = &runs.Miss{Cause: m.Cause, Text: runs.Text(m.Text)}
	}
}

// lowered notes how a remote made a tree for the step.
func (n *note) lowered(l engine.Lowering) {
	if n != nil {
		n.notes.mu.Lock()
		defer n.notes.mu.Unlock()
		n.record.Lowered = append(n.record.Lowered, l)
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

// log is the log of a step whose process runs. A nil one takes nothing.
type log struct {
	note *note
	file *os.File
	w    *steplog.Writer
	err  error
}

// log begins the log of a step. It is nil when nothing is remembered, or nothing
// can be written, which is told.
func (s *step) log() *log {
	n := s.note
	if n == nil {
		return nil
	}
	f, err := n.notes.run.Log(n.step.Index)
	n.notes.soon()
	l := &log{note: n, file: f, err: err}
	if err == nil {
		l.w, l.err = steplog.NewWriter(f, n.notes.engine.options.LogLimit, time.Now)
	}
	if l.err != nil {
		s.event(engine.NotKept{Step: s.number, What: "what the process says", Err: l.err})
	}
	return l
}

// close ends the log. It may be called again.
func (l *log) close() error {
	if l == nil || l.file == nil {
		return nil
	}
	if info, err := l.file.Stat(); err == nil {
		l.note.notes.mu.Lock()
		l.note.notes.logged += info.Size()
		l.note.notes.mu.Unlock()
	}
	f := l.file
	l.file = nil
	return f.Close()
}

// name gives what the log of the step can be found by; nil if there is none.
func (l *log) name() *runs.LogName {
	if l == nil {
		return nil
	}
	return &runs.LogName{Run: l.note.notes.run.Name(), Index: l.note.step.Index}
}
