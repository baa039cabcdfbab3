package embedded

import (
	"context"
	"errors"
	"fmt"
	"strconv"

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
	if s.note != nil && s.engine().where != nil {
		var err error
		if name, err = s.exactly(ctx, name, own...); err != nil {
			return engine.Result{}, err
		}
	}
	res, st, err := s.engine().stepResult(ctx, name, own...)
	if err == nil && st.Lost() {
		s.event(engine.Lost{Step: s.number, Of: name})
	}
	return res, err
}

// exactly gives the name that always means the step that one means now, and notes that
// it was asked for by that: the run may be made again when "last" is another.
func (s *step) exactly(ctx context.Context, name string, but ...string) (string, error) {
	n, err := runs.ParseName(name)
	if err != nil {
		return "", err
	}
	f, err := runs.Find(ctx, s.engine().store, n, but...)
	if err != nil {
		return "", err
	}
	st, err := f.Made()
	if err != nil {
		return "", err
	}
	name = runs.Name{Run: f.Run.Name, Step: strconv.Itoa(st.Number())}.String()
	op := s.node.Op().(graph.From)
	op.Source = name
	ns := s.note.notes
	ns.mu.Lock()
	defer ns.mu.Unlock()
	s.note.record.Node = graph.Encode(op)
	ns.change(s.note)
	return name, nil
}

// stepResult gives what a step came to, with the config and the base that it had,
// and its record. What is not kept any more of the base is as if there had been none.
func (e *Engine) stepResult(ctx context.Context, name string, but ...string) (engine.Result, *runs.Step, error) {
	n, err := runs.ParseName(name)
	if err != nil {
		return engine.Result{}, nil, err
	}
	f, err := runs.Find(ctx, e.store, n, but...)
	if err != nil {
		return engine.Result{}, nil, err
	}
	st, err := f.Made()
	if err != nil {
		return engine.Result{}, nil, err
	}
	st.Spec = f.Spec(st)
	if st.IsRemote() {
		r, err := e.remade(ctx, f, st)
		return r, st, err
	}
	d, err := st.Tree()
	if err != nil {
		return engine.Result{}, nil, fmt.Errorf("run %s: %w", f.Run.Name, err)
	}
	t, err := tree.Load(ctx, e.source, d)
	if err != nil {
		return engine.Result{}, nil, fmt.Errorf("step %d of run %s: %w", st.Number(), f.Run.Name, err)
	}
	out := treeResult(t)
	first := *st
	for at := st; ; at = &f.Steps[at.Inputs[0]] {
		first = *at
		if out.Exec == nil && at.Exec != nil && st.Process == nil || at == st && at.Exec != nil {
			if out.Exec, err = e.execOf(ctx, at.Exec); err != nil {
				return engine.Result{}, nil, err
			}
		}
		if len(at.Inputs) == 0 || at.Inputs[0] >= at.Index || at.Inputs[0] >= len(f.Steps) {
			break
		}
	}
	if !first.After.IsZero() {
		if out.Origin, err = tree.Load(ctx, e.source, first.After); err != nil {
			return engine.Result{}, nil, err
		}
	}
	return out, st, e.imageOf(ctx, f, st, &out)
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
		base.Tree, err = tree.Load(ctx, e.source, b.Tree)
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
