package tree_test

import (
	"context"
	"testing"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/tree"
	"pgregory.net/rapid"
)

// kept is a source of nodes.
type kept struct{ nodes map[digest.Digest][]byte }

func (k *kept) Node(_ context.Context, d digest.Digest) ([]byte, error) {
	if b, ok := k.nodes[d]; ok {
		return b, nil
	}
	return nil, tree.ErrMissingNode
}

// above is a source of nodes that name others in a store, as those of trees do that were
// composed of what is there.
type above struct{ own, store *kept }

func (a *above) Node(ctx context.Context, d digest.Digest) ([]byte, error) {
	if b, ok := a.own.nodes[d]; ok {
		return b, nil
	}
	return a.store.Node(ctx, d)
}

func (a *above) SourceOf(d digest.Digest) tree.Source {
	if _, ok := a.own.nodes[d]; ok {
		return a
	}
	return a.store
}

// Of a tree that is loaded from two sources, Save brings into one exactly what only the
// other has.
func TestSaveBringsOfADividedSourceWhatTheHomeLacks(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		base, d := wideOf(t, genNames(t, "base")), tree.NewDraft(tree.Empty())
		d.Put("sub", base)
		d.Put("same", base)
		both := &above{&kept{map[digest.Digest][]byte{}}, &kept{map[digest.Digest][]byte{}}}
		var was digest.Digest
		save := func(of tree.Tree, into *kept) (n int) {
			s, err := tree.Save(ctx, of, both.store, func(d digest.Digest, node []byte) error {
				if into.nodes[d] == nil {
					n++
				}
				into.nodes[d] = node
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			was = s.Digest
			return n
		}
		save(finish(t, d), both.store)
		old, err := tree.Load(ctx, both.store, was)
		if err != nil {
			t.Fatal(err)
		}
		next := tree.NewDraft(old)
		sub, _, err := next.Dir(ctx, "sub")
		if err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(1, 4).Draw(t, "edits") {
			sub.Put(rapid.StringMatching("[a-z]{3}").Draw(t, "name"), tree.File{Attributes: tree.Attr{UID: 7}})
		}
		save(finish(t, next), both.own)
		lacks := 0
		for d := range both.own.nodes {
			if both.store.nodes[d] == nil { // a name may have cut off a chunk that was there
				lacks++
			}
		}
		again, err := tree.Load(ctx, both, was)
		if err != nil {
			t.Fatal(err)
		}
		if n := save(again, both.store); n != lacks {
			t.Fatalf("%d nodes were saved, of %d that the store does not have", n, lacks)
		}
		whole, err := tree.Load(ctx, both.store, was)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tree.NewMemory().Save(ctx, whole); err != nil { // which reads it
			t.Fatal(err)
		}
	})
}
