//go:build linux

package checkout_test

import (
	"testing"

	"github.com/inlaybuild/inlay/internal/checkout"
	"github.com/inlaybuild/inlay/tree"
	"pgregory.net/rapid"
)

func TestAChainOfChangedTreesIsShownByDeltas(t *testing.T) {
	b := newBlobs(t)
	for _, m := range []checkout.Method{checkout.EROFS, checkout.Loop} {
		t.Run(m.String(), func(t *testing.T) {
			r := newRoots(t, checkout.Options{BlobsDir: b.dir, Method: m, MaxDeltas: 3})
			rapid.Check(t, func(rt *rapid.T) {
				last := drawTree(rt, b, t, tree.Empty())
				for range 6 {
					next := drawTree(rt, b, t, last)
					root := mustMount(t, r, next, last)
					compare(t, listTree(t, next), listDir(t, root.Path))
					mustClose(t, root)
					if t.Failed() {
						rt.Fatal("the root does not show the tree")
					}
					last = next
				}
			})
		})
	}
}

func TestEveryMethodShowsGeneratedTrees(t *testing.T) {
	b := newBlobs(t)
	for _, m := range methods {
		t.Run(m.String(), func(t *testing.T) {
			r := newRoots(t, checkout.Options{BlobsDir: b.dir, Method: m})
			rapid.Check(t, func(rt *rapid.T) {
				tr := drawTree(rt, b, t, tree.Empty())
				root := mustMount(t, r, tr)
				compare(t, listTree(t, tr), listDir(t, root.Path))
				mustClose(t, root)
				if t.Failed() {
					rt.Fatal("the root does not show the tree")
				}
			})
		})
	}
}

// The kernel looks for the content of a file of a delta in the layers below the
// delta first, by the path of its blob.
func TestATreeCannotGiveItsContentToFilesOfTreesThatAreStackedOnIt(t *testing.T) {
	b := newBlobs(t)
	good, evil := b.put(t, "good"), b.put(t, "evil")
	path := b.path(good.Content)[len(b.dir):]
	d := tree.NewDraft(tree.Empty())
	d.MakeDir(path[1:3], attr(0o755, 0, 0, 0, 0)).Put(path[4:], evil)
	base := mustTree(t, d)
	d.Put("file", good)
	now := mustTree(t, d)
	for _, m := range methods {
		t.Run(m.String(), func(t *testing.T) {
			r := newRoots(t, checkout.Options{BlobsDir: b.dir, Method: m})
			root := mustMount(t, r, now, base)
			compare(t, listTree(t, now), listDir(t, root.Path))
			mustClose(t, root)
		})
	}
}
