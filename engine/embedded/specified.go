package embedded

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/runs"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/tree"
)

// recorded gives what a run remembers of what is run.
func (x *exec) recorded() *runs.Spec {
	s := &runs.Spec{
		Args: x.spec.Args, Env: x.spec.Env, Dir: x.spec.Dir, User: x.spec.User,
		Stdin: len(x.spec.Stdin), Network: x.spec.Network,
	}
	for _, m := range x.spec.Mounts {
		r := runs.Mount{Mount: m}
		if m.Kind == graph.MountTree && m.Input > 0 && m.Input < len(x.inputs) && !x.in[m.Input].Away {
			r.Tree = x.inputs[m.Input]
		}
		if file, ok := strings.CutPrefix(m.Name, "file:"); ok && m.Kind == graph.MountSecret {
			if abs, err := filepath.Abs(file); err == nil { // also from another directory
				r.Name = "file:" + abs
			}
		}
		s.Mounts = append(s.Mounts, r)
	}
	return s
}

// specified notes what the step runs.
func (n *note) specified(s *runs.Spec) {
	if n != nil {
		n.notes.mu.Lock()
		defer n.notes.mu.Unlock()
		n.record.Spec = s
		n.notes.change(n)
	}
}

// At gives what a step of a run came to, or, if it failed, what it left; and its
// record. The name is as in [runs.ParseName].
func (e *Engine) At(ctx context.Context, name string) (engine.Result, *runs.Step, error) {
	return e.stepResult(ctx, name)
}

// again gives the exec of a step that a run remembers, in a tree.
func (e *Engine) again(ctx context.Context, s *step, in engine.Result, spec runs.Spec) (*exec, error) {
	x := &exec{step: s, in: []engine.Result{in}}
	x.spec = execKey{Args: spec.Args, Env: spec.Env, Dir: spec.Dir, User: spec.User, Network: spec.Network}
	for _, m := range spec.Mounts {
		if m.Kind == graph.MountTree {
			r, err := e.treeAt(ctx, m)
			if err != nil {
				return nil, fmt.Errorf("what is mounted at %s: %w", m.Target, err)
			}
			m.Input = len(x.in)
			x.in = append(x.in, r)
		}
		x.spec.Mounts = append(x.spec.Mounts, m.Mount)
	}
	x.op = graph.Exec{Args: spec.Args, Network: spec.Network, Mounts: x.spec.Mounts}
	return x, nil
}

// treeAt gives what a step's process saw at a mount of a tree.
func (e *Engine) treeAt(ctx context.Context, m runs.Mount) (engine.Result, error) {
	if m.Tree.IsZero() {
		r, _, err := e.stepResult(ctx, m.Step)
		return r, err
	}
	t, err := tree.Load(ctx, e.withRuns, m.Tree)
	return treeResult(t), err
}
