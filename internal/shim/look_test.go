//go:build linux

package shim_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/internal/shim"
	"github.com/inlaybuild/inlay/tree"
)

// sight makes a directory to look at.
func sight(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"a/b/f": "content", "a/empty": "", "g": strings.Repeat("g", 100_000)} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Link(filepath.Join(dir, "g"), filepath.Join(dir, "a/h")), os.Symlink("g", filepath.Join(dir, "l"))); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestALookIsTheTree(t *testing.T) {
	dir := sight(t)
	var b bytes.Buffer
	if err := shim.Look(t.Context(), dir, &b); err != nil {
		t.Fatal(err)
	}
	whole := b.Bytes()
	l, err := shim.ReadLooked(bytes.NewReader(whole))
	if err != nil {
		t.Fatal(err)
	}
	got, err := l.Tree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	if err := shim.Survey(t.Context(), dir, out); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join(out, shim.RootFile))
	if err != nil || got.Digest().String() != string(want) || len(l.Mounts) > 0 {
		t.Errorf("%s with %q mounted, want %s (%v)", got.Digest(), l.Mounts, want, err)
	}
	// What is cut off or changed is not believed.
	for n := range whole {
		if _, err := shim.ReadLooked(bytes.NewReader(whole[:n])); !errors.Is(err, shim.ErrPack) {
			t.Fatalf("the first %d of %d bytes: %v", n, len(whole), err)
		}
	}
	for i := 1; i < len(whole); i++ { // the first is the number of mounts
		bad := bytes.Clone(whole)
		bad[i] ^= 1
		l, err := shim.ReadLooked(bytes.NewReader(bad))
		if err != nil {
			continue
		}
		if got, err := l.Tree(t.Context()); err == nil && len(l.Mounts) == 0 {
			for _, err := range tree.Walk(t.Context(), got, tree.WalkOptions{}) {
				if err != nil {
					got = tree.Tree{}
					break
				}
			}
			if got != (tree.Tree{}) {
				t.Fatalf("byte %d was changed, and nobody noticed", i)
			}
		}
	}
}

func TestContentsAreGivenInTheirOrder(t *testing.T) {
	dir := sight(t)
	var list, out bytes.Buffer
	if err := shim.WritePaths(&list, []string{"/g", "/a/b/f", "/a/empty"}); err != nil {
		t.Fatal(err)
	}
	if err := shim.Give(dir, &list, &out); err != nil {
		t.Fatal(err)
	}
	r := tar.NewReader(&out)
	for _, want := range []string{strings.Repeat("g", 100_000), "content", ""} {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(r); err != nil || string(b) != want {
			t.Errorf("%.20q, want %.20q (%v)", b, want, err)
		}
	}
	for _, p := range []string{"/l", "/a", "/nothing", "/l/f"} {
		list.Reset()
		if err := shim.WritePaths(&list, []string{p}); err != nil {
			t.Fatal(err)
		}
		if err := shim.Give(dir, &list, io.Discard); err == nil || !strings.Contains(err.Error(), p) {
			t.Errorf("%s: %v", p, err)
		}
	}
}
