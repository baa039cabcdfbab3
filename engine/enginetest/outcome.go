package enginetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
)

// outcome is what a graph came to on an engine.
type outcome struct {
	err    error
	result engine.Result
	list   treetest.Listing // of the result's tree
	stdout []byte
	stderr []byte
	steps  map[string]*stepEvents // by call
	record *record                // nil if the engine remembers nothing
}

// stepEvents is what an engine told of a step while it went on.
type stepEvents struct {
	op       string
	ended    *engine.StepEnded
	placed   *engine.Placements
	replaced []compose.Replacement
	said     [2][]byte // stdout, stderr
	notKept  string    // what could not be written down of it
}

// treeOf gives the tree of a result.
func treeOf(ctx context.Context, _ engine.Engine, r engine.Result) (tree.Tree, error) {
	r, err := r.Known(ctx)
	return r.Tree, err
}

// observe resolves a graph and looks at all that came of it. An error is one of
// looking.
func observe(ctx context.Context, e engine.Engine, n *graph.Node) (*outcome, error) {
	o := &outcome{steps: map[string]*stepEvents{}}
	o.result, o.err = e.Resolve(ctx, n, o.sink())
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if o.err == nil {
		if err := o.look(ctx, e); err != nil {
			return nil, err
		}
	}
	var err error
	o.record, err = readRecord(ctx, e)
	return o, err
}

// look reads the tree and what the process said.
func (o *outcome) look(ctx context.Context, e engine.Engine) (err error) {
	if o.list, err = listAll(ctx, e, o.result); err != nil {
		return err
	}
	if x := o.result.Exec; x != nil {
		if o.stdout, err = open(ctx, e, x.Stdout); err != nil {
			return fmt.Errorf("read what was said: %w", err)
		}
		if o.stderr, err = open(ctx, e, x.Stderr); err != nil {
			return fmt.Errorf("read what was said: %w", err)
		}
	}
	return nil
}

// listAll lists the tree of a result, and reads all that its files hold.
func listAll(ctx context.Context, e engine.Engine, r engine.Result) (treetest.Listing, error) {
	t, err := treeOf(ctx, e, r)
	if err != nil {
		return nil, fmt.Errorf("get the tree: %w", err)
	}
	var l treetest.Listing
	for it, err := range tree.Walk(ctx, t, tree.WalkOptions{}) {
		if err != nil {
			return nil, fmt.Errorf("walk through the tree: %w", err)
		}
		i := treetest.ItemOf(it.Path, it.Entry)
		if it.Link != nil && it.Link.First != it.Path {
			i.Same = it.Link.First
		}
		if f, ok := it.Entry.(tree.File); ok {
			b, err := open(ctx, e, f)
			if err != nil {
				return nil, fmt.Errorf("read %s: %w", it.Path, err)
			}
			if len(b) <= 200 {
				i.Text = string(b)
			}
		}
		l = append(l, i)
	}
	return l, nil
}

// open reads a file, which must be what the tree says.
func open(ctx context.Context, e engine.Engine, f tree.File) ([]byte, error) {
	if f.Size == 0 {
		return nil, nil
	}
	rc, err := e.OpenContent(ctx, f.Content)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(rc)
	if err := errors.Join(err, rc.Close()); err != nil {
		return nil, err
	}
	if got := digest.Of(b); got != f.Content || int64(len(b)) != f.Size {
		return nil, fmt.Errorf("it holds %d bytes of digest %s, and not %d of %s", len(b), got, f.Size, f.Content)
	}
	return b, nil
}

// sink notes what is told of steps, by the calls that made them.
func (o *outcome) sink() engine.Sink {
	calls := map[int]*stepEvents{}
	at := func(n int) *stepEvents {
		if calls[n] == nil {
			calls[n] = &stepEvents{} // of what is no step
		}
		return calls[n]
	}
	return engine.SinkFunc(func(ev engine.Event) {
		switch ev := ev.(type) {
		case engine.StepStarted:
			s := &stepEvents{op: ev.Op}
			calls[ev.Step], o.steps[ev.Call] = s, s
		case engine.StepEnded:
			at(ev.Step).ended = &ev
		case engine.Placed:
			at(ev.Step).placed = &ev.Placements
		case engine.Replaced:
			s := at(ev.Step)
			s.replaced = append(s.replaced, ev.Replacement)
		case engine.NotKept:
			at(ev.Step).notKept += fmt.Sprintf("%s: %v\n", ev.What, ev.Err)
		case engine.Output:
			stream := 0
			if ev.Stderr {
				stream = 1
			}
			said := &at(ev.Step).said[stream]
			*said = append(*said, ev.Data...)
		}
	})
}

// failed gives the call of the step that failed; "" if none did.
func (o *outcome) failed() string {
	var ce *graph.CallError
	if errors.As(o.err, &ce) {
		return ce.Call
	}
	return ""
}

// settled gives the calls of the nodes that are decided by the graph alone: of one
// that failed, what the step that failed needs, and itself. Others may have been
// carried out or not.
func settled(n *graph.Node, failed string) []string {
	var out []string
	for m := range n.All() {
		if failed == "" || m.Call() == failed {
			for k := range m.All() {
				out = append(out, k.Call())
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
