package enginetest

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/runs"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/steplog"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/inlaybuild/inlay/internal/treetest"
)

// Remembering is an engine that remembers its runs in a store.
type Remembering interface {
	engine.Engine
	Store() *store.Store
}

// record is what an engine remembers of a run.
type record struct {
	runs.Found
	failure string            // where no step has one
	logs    map[int][2][]byte // what processes said: stdout, stderr
	left    treetest.Listing  // what the step that failed left, if one did
}

// readRecord reads what an engine remembers of its last run; nil if it remembers
// nothing.
func readRecord(ctx context.Context, e engine.Engine) (*record, error) {
	r, ok := e.(Remembering)
	if !ok {
		return nil, nil
	}
	s := r.Store()
	if all, err := s.Runs(ctx); err != nil || len(all) == 0 {
		return nil, err
	}
	f, err := runs.Find(ctx, s, runs.Name{Run: runs.Last})
	if err != nil {
		return nil, fmt.Errorf("the record of the last run: %w", err)
	}
	out := &record{Found: f, logs: map[int][2][]byte{}}
	if out.failure, err = f.Failure(); err != nil {
		return nil, err
	}
	for _, st := range f.Steps {
		if !st.HasProcess() {
			continue
		}
		if out.logs[st.Index], err = readLog(ctx, s, e, f.Run.Name, st); err != nil {
			return nil, fmt.Errorf("the log of %s: %w", st.Call, err)
		}
	}
	if f.Run.State != runs.Failed || out.failure != "" {
		return out, nil
	}
	// This is another run: it comes last.
	left, err := e.Resolve(ctx, graph.New(graph.From{Source: f.Run.Name + "@" + runs.FailedStep}, "what is left"), nil)
	if err != nil {
		return nil, fmt.Errorf("what the step that failed left: %w", err)
	}
	out.left, err = listAll(ctx, e, left)
	return out, err
}

// readLog reads what the process of a step said, by stream.
func readLog(ctx context.Context, s runs.LogStore, e engine.Engine, run string, st runs.Step) (out [2][]byte, err error) {
	l, err := runs.OpenLog(ctx, s, e, run, st)
	if err != nil {
		return out, err
	}
	defer l.Close()
	for {
		rec, err := l.Next()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		n := 0
		if rec.Stream == steplog.Stderr {
			n = 1
		}
		out[n] = append(out[n], rec.Data...)
	}
}
