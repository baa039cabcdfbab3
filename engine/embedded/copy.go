package embedded

import (
	"context"
	"errors"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/tree"
)

func (s *step) copy(ctx context.Context, op graph.Copy, dst, src engine.Result) (engine.Result, error) {
	o, err := s.copyOptions(ctx, op.Options, dst.Tree)
	if err != nil {
		return engine.Result{}, err
	}
	if src.Changes != nil {
		return engine.Result{}, errors.New("a change set cannot be copied: use WithChanges")
	}
	from := op.From[0]
	if len(op.From) > 1 {
		return s.copySeveral(ctx, op, o, dst, src)
	}
	r, err := compose.Copy(ctx, dst.Tree, op.To, src.Tree, from, o)
	return s.composed(dst, r, err)
}

// copySeveral copies several sources as one copy.
func (s *step) copySeveral(ctx context.Context, op graph.Copy, o compose.Options, dst, src engine.Result) (engine.Result, error) {
	r, err := compose.CopySeveral(ctx, dst.Tree, op.To, src.Tree, op.From, o)
	return s.composed(dst, r, err)
}

// composed gives dst with the tree of a copy, and tells what it replaced.
func (s *step) composed(dst engine.Result, r compose.Result, err error) (engine.Result, error) {
	if err != nil {
		return engine.Result{}, err
	}
	s.place(r.Placements)
	for _, what := range r.Replaced {
		s.event(engine.Replaced{Step: s.number, Replacement: what})
	}
	dst.Tree = r.Tree
	return dst, nil
}

func (s *step) copyOptions(ctx context.Context, o graph.CopyOptions, dst tree.Tree) (compose.Options, error) {
	out := compose.Options{
		Include:    o.Include,
		Exclude:    o.Exclude,
		Gitignore:  o.Gitignore,
		Bodies:     s.engine(),
		Overlay:    o.Overlay,
		Existing:   o.Existing,
		KeepLink:   o.KeepLink,
		AllowEmpty: o.AllowEmpty,
		File:       o.File,
		Contents:   o.Contents,
		Epoch:      tree.Time{Sec: s.engine().options.Epoch},
	}
	if o.Owner != "" {
		owner, err := compose.LookupOwner(ctx, o.Owner, dst, s.engine())
		if err != nil {
			return out, err
		}
		out.Owner = &owner
	}
	if o.Mode != "" {
		mode, err := compose.ParseMode(o.Mode)
		if err != nil {
			return out, err
		}
		out.Mode = mode
	}
	if o.Time != nil {
		out.Time = &tree.Time{Sec: *o.Time}
		out.Epoch = *out.Time
	}
	return out, nil
}
