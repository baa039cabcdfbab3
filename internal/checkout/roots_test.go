//go:build linux

package checkout_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/internal/checkout"
	"github.com/inlaybuild/inlay/tree"
)

var methods = []checkout.Method{checkout.EROFS, checkout.Loop, checkout.Metadata, checkout.Copy, checkout.Plain}

func newRoots(t testing.TB, o checkout.Options) *checkout.Roots {
	t.Helper()
	if o.RootsDir == "" {
		o.RootsDir = filepath.Join(tempDir(t), "roots")
	}
	r, err := checkout.New(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		noMounts(t, o.RootsDir)
	})
	return r
}

// noMounts fails when something is mounted below dir.
func noMounts(t testing.TB, dir string) {
	t.Helper()
	b, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(b), dir) {
		t.Errorf("something is left mounted below %s", dir)
	}
	runs, _ := filepath.Glob(filepath.Join(dir, "run-*"))
	if len(runs) > 0 {
		t.Errorf("left behind: %q", runs)
	}
}

func mustMount(t testing.TB, r *checkout.Roots, tr tree.Tree, near ...tree.Tree) *checkout.Root {
	t.Helper()
	root, err := r.Mount(t.Context(), tr, checkout.MountOptions{Near: near})
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func mustClose(t testing.TB, root *checkout.Root) {
	t.Helper()
	if err := root.Unmount(); err != nil {
		t.Error(err)
	}
	if err := root.Close(); err != nil {
		t.Error(err)
	}
}

func TestEveryMethodShowsTheTree(t *testing.T) {
	b := newBlobs(t)
	tr := mustTree(t, sample(t, b))
	want := listTree(t, tr)
	for _, m := range methods {
		t.Run(m.String(), func(t *testing.T) {
			r := newRoots(t, checkout.Options{BlobsDir: b.dir, Method: m})
			root := mustMount(t, r, tr)
			compare(t, want, listDir(t, root.Path))
			mustClose(t, root)
		})
	}
}

func TestTheBestMethodIsFound(t *testing.T) {
	r := newRoots(t, checkout.Options{BlobsDir: tempDir(t)})
	if r.Method() != checkout.EROFS {
		c, err := checkout.Probe(t.Context(), tempDir(t))
		t.Skipf("the kernel here is older or has no EROFS: %v is the best (%v, %v)", r.Method(), c.Failed, err)
	}
}
