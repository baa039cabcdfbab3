//go:build linux

package checkout_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/inlaybuild/inlay/internal/capture"
	"github.com/inlaybuild/inlay/internal/checkout"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/inlaybuild/inlay/tree"
	"pgregory.net/rapid"
)

// sink is a store's ingest as capture wants it.
type sink struct {
	*store.Store
	*store.Ingest
}

// Create begins a body.
func (s sink) Create() capture.Writer { return s.Ingest.Create() }

func newSink(t testing.TB) sink {
	t.Helper()
	s, err := store.Open(t.Context(), tempDir(t), store.Options{References: tree.References})
	if err != nil {
		t.Fatal(err)
	}
	in, err := s.NewIngest(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := in.Abort(); err != nil {
			t.Error(err)
		}
	})
	return sink{s, in}
}

func captured(t testing.TB, s sink, dir string) tree.Tree {
	t.Helper()
	got, _, err := capture.Directory(t.Context(), dir, s, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestWritingATreeToDiskAndReadingItBackGivesTheSameTree(t *testing.T) {
	b, s := newBlobs(t), newSink(t)
	base := mustTree(t, sample(t, b))
	methods := []checkout.Method{checkout.EROFS, checkout.Loop, checkout.Metadata, checkout.Copy, checkout.Plain}
	var roots []*checkout.Roots
	for _, m := range methods {
		r := newRoots(t, checkout.Options{BlobsDir: b.dir, Method: m})
		if r.Method() != m {
			t.Fatalf("%s became %s", m, r.Method())
		}
		roots = append(roots, r)
	}
	dir := filepath.Join(tempDir(t), "out")
	check := func(want tree.Tree) {
		t.Helper()
		if err := checkout.ToDirectory(t.Context(), want, dir, b.open, checkout.DirectoryOptions{}); err != nil {
			t.Fatal(err)
		}
		if got := captured(t, s, dir); got.Digest() != want.Digest() {
			compare(t, listTree(t, want), listTree(t, got))
			t.Fatal("the directory is another tree")
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		for i, r := range roots {
			root := mustMount(t, r, want, base)
			if got := captured(t, s, root.Path); got.Digest() != want.Digest() {
				compare(t, listTree(t, want), listTree(t, got))
				t.Fatalf("%s shows another tree", methods[i])
			}
			unchanged(t, s, root)
			mustClose(t, root)
		}
	}
	check(base)
	rapid.Check(t, func(rt *rapid.T) { check(drawTree(rt, b, t, tree.Empty())) })
}

// unchanged holds that a root which nobody wrote to has no changes.
func unchanged(t testing.TB, s sink, root *checkout.Root) {
	t.Helper()
	if root.Upper == "" {
		return
	}
	if err := root.Unmount(); err != nil {
		t.Fatal(err)
	}
	c, _, err := capture.Upper(t.Context(), root.Tree, root.Upper, s, capture.UpperOptions{})
	if err != nil || !c.IsEmpty() {
		t.Fatalf("nothing was changed, but %+v (%v)", c, err)
	}
}
