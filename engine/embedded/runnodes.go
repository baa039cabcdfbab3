package embedded

import (
	"context"
	"errors"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/inlaybuild/inlay/tree"
)

// withRuns is the store together with the nodes that runs have by themselves, as a
// source: of trees that a run has named. It is not the store's own source, so that
// [tree.Save] knows that the nodes of runs are not safe yet: they go with their run.
type withRuns struct {
	nodes *nodes
}

// Node gives an encoded node.
func (w *withRuns) Node(ctx context.Context, d digest.Digest) ([]byte, error) {
	s := w.nodes.store
	if s.KnowsRunNode(d) {
		return s.RunNode(ctx, d)
	}
	b, err := w.nodes.Node(ctx, d)
	if !errors.Is(err, store.ErrMissing) {
		return b, err
	}
	if b, rerr := s.RunNode(ctx, d); !errors.Is(rerr, store.ErrMissing) {
		return b, rerr
	}
	return nil, err
}

// SourceOf gives the store's own source for what the store has: what a node of a run
// refers to is there, or of the same run.
func (w *withRuns) SourceOf(d digest.Digest) tree.Source {
	if w.nodes.store.KnowsRunNode(d) {
		return w
	}
	return w.nodes
}
