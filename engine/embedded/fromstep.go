package embedded

import (
	"context"
	"errors"
	"fmt"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/runs"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/tree"
)

// fromStep gives what a step of another run came to.
func (s *step) fromStep(ctx context.Context, name string) (engine.Result, error) {
	var own []string
	if s.note != nil {
		own = append(own, s.note.notes.run.Name())
	}
	s.cached = true
	f, st, err := s.engine().madeStep(ctx, name, own...)
	if err != nil {
		return engine.Result{}, err
	}
	s.note.meant(s.node.Op().(graph.From), f, st)
	res, err := s.engine().resultOf(ctx, f, st)
	if err == nil && st.Lost() {
		s.event(engine.Lost{Step: s.number, Of: name})
	}
	return res, err
}

// stepResult gives what a step came to, and its record.
func (e *Engine) stepResult(ctx context.Context, name string) (engine.Result, *runs.Step, error) {
	f, st, err := e.madeStep(ctx, name)
	if err != nil {
		return engine.Result{}, nil, err
	}
	r, err := e.resultOf(ctx, f, st)
	return r, st, err
}

// madeStep finds the step that a name means when a tree is wanted.
func (e *Engine) madeStep(ctx context.Context, name string, but ...string) (f runs.Found, st *runs.Step, err error) {
	n, err := runs.ParseName(name)
	if err != nil {
		return f, nil, err
	}
	if f, err = runs.Find(ctx, e.store, n, but...); err != nil {
		return f, nil, err
	}
	if st, err = f.Made(); err != nil {
		return f, nil, err
	}
	st.Spec = f.Spec(st)
	return f, st, nil
}

// resultOf gives what a step of a run came to, with the config and the base that it
// had. What is not kept any more of the base is as if there had been none.
func (e *Engine) resultOf(ctx context.Context, f runs.Found, st *runs.Step) (engine.Result, error) {
	if st.IsRemote() {
		return e.remade(ctx, f, st)
	}
	d, err := st.Tree()
	if err != nil {
		return engine.Result{}, fmt.Errorf("run %s: %w", f.Run.Name, err)
	}
	t, err := tree.Load(ctx, e.withRuns, d)
	if err != nil {
		return engine.Result{}, fmt.Errorf("step %d of run %s: %w", st.Number(), f.Run.Name, err)
	}
	out := treeResult(t)
	first := *st
	for at := st; ; at = &f.Steps[at.Inputs[0]] {
		first = *at
		if out.Exec == nil && at.Exec != nil && st.Process == nil || at == st && at.Exec != nil {
			if out.Exec, err = e.execOf(ctx, at.Exec); err != nil {
				return engine.Result{}, err
			}
		}
		if len(at.Inputs) == 0 || at.Inputs[0] >= at.Index || at.Inputs[0] >= len(f.Steps) {
			break
		}
	}
	if !first.After.IsZero() {
		if out.Origin, err = tree.Load(ctx, e.withRuns, first.After); err != nil {
			return engine.Result{}, err
		}
	}
	return out, e.imageOf(ctx, f, st, &out)
}

// execOf gives what an exec said, if the store still has it; otherwise nil.
func (e *Engine) execOf(ctx context.Context, x *engine.Exec) (*engine.Exec, error) {
	var ds []digest.Digest
	for _, f := range []tree.File{x.Stdout, x.Stderr} {
		if f.Size > 0 {
			ds = append(ds, f.Content)
		}
	}
	missing, err := e.store.Missing(ctx, ds)
	if err != nil || len(missing) > 0 {
		return nil, err
	}
	return x, nil
}

// imageOf finds the config and the base that a step had: its own, or those of the
// inputs that it began with.
func (e *Engine) imageOf(ctx context.Context, f runs.Found, st *runs.Step, out *engine.Result) error {
	for st.Image == nil {
		if len(st.Inputs) == 0 || st.Inputs[0] >= st.Index || st.Inputs[0] >= len(f.Steps) {
			return nil
		}
		st = &f.Steps[st.Inputs[0]]
	}
	c, err := image.ParseConfig(st.Image.Config)
	if err != nil {
		return fmt.Errorf("step %d of run %s: %w", st.Number(), f.Run.Name, err)
	}
	b := st.Image.Base
	if b == nil {
		out.Config = c
		return nil
	}
	base := engine.Base{Layers: b.Layers, Image: b.Image, Config: b.Config, Index: b.Index, Origin: b.Origin}
	var ds []digest.Digest
	for _, l := range b.Layers {
		ds = append(ds, l.Digest)
	}
	if b.Image != nil {
		ds = append(ds, b.Image.Digest, b.Config)
	}
	if b.Index != nil {
		ds = append(ds, b.Index.Digest)
	}
	missing, err := e.store.Missing(ctx, ds)
	if err != nil {
		return err
	}
	if len(missing) == 0 {
		base.Tree, err = tree.Load(ctx, e.withRuns, b.Tree)
		if err == nil {
			out.Config, out.Base = c, base
			return nil
		}
		if !errors.Is(err, tree.ErrMissingNode) {
			return err
		}
	}
	out.Config, err = image.NewConfig(c.Platform()).WithRun(c.Run())
	return err
}
