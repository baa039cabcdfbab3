//go:build linux

package shim_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/internal/shim"
	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
)

// onDisk reads the files of a survey, and counts how often.
type onDisk struct {
	dir   string
	reads map[string]int
	spoil func(file string, b []byte) []byte
}

func (d *onDisk) ReadRange(_ context.Context, file string, offset, n int64) ([]byte, error) {
	if d.reads == nil {
		d.reads = map[string]int{}
	}
	d.reads[file]++
	f, err := os.Open(filepath.Join(d.dir, file))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, n)
	m, err := f.ReadAt(b, offset)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	b = b[:m]
	if d.spoil != nil {
		b = d.spoil(file, b)
	}
	return b, err
}

// surveyed gives what the program finds in a directory.
func surveyed(dir, out string) (treetest.Listing, error) {
	if err := os.Mkdir(out, 0o755); err != nil {
		return nil, err
	}
	if err := runShim("survey", dir, out); err != nil {
		return nil, err
	}
	p, err := shim.OpenPack(context.Background(), &onDisk{dir: out})
	if err != nil {
		return nil, err
	}
	t, err := p.Tree(context.Background())
	if err != nil {
		return nil, err
	}
	return treetest.List(t), nil
}

func TestASurveyIsWhatStandsThere(t *testing.T) {
	needsRoot(t)
	dir := t.TempDir()
	for seed := range uint64(40) {
		want := treetest.Seeded(seed).Listing(treetest.Limits{Disk: true})
		root := filepath.Join(dir, "root")
		must(t, treetest.Write(want, root))
		got, err := surveyed(root, filepath.Join(dir, "out"))
		if err != nil || !got.Equal(want) {
			t.Fatalf("seed %d: %v\n%s", seed, err, treetest.Differences(got, want))
		}
		must(t, os.RemoveAll(root))
		must(t, os.RemoveAll(filepath.Join(dir, "out")))
	}
}

// big gives a survey whose nodes are more than are read at once.
func big(t testing.TB) (root, out string) {
	t.Helper()
	dir := t.TempDir()
	root, out = filepath.Join(dir, "root"), filepath.Join(dir, "out")
	must(t, os.Mkdir(root, 0o755))
	must(t, os.Mkdir(out, 0o755))
	for i := range 30 {
		sub := filepath.Join(root, "d"+strings.Repeat("x", i))
		must(t, os.Mkdir(sub, 0o755))
		for k := range 30 {
			must(t, os.Symlink(strings.Repeat("t", 3000), filepath.Join(sub, "n"+strings.Repeat("y", k))))
		}
	}
	must(t, runShim("survey", root, out))
	return root, out
}

func TestNodesOfALargeSurveyAreReadWhenTheyAreNeeded(t *testing.T) {
	_, out := big(t)
	from := &onDisk{dir: out}
	p, err := shim.OpenPack(t.Context(), from)
	must(t, err)
	if p.Size() < 2<<20 || p.Len() < 30 {
		t.Fatalf("%d nodes of %d bytes: the test needs more", p.Len(), p.Size())
	}
	one, err := p.Tree(t.Context())
	must(t, err)
	if _, err := one.Lookup(t.Context(), "/dxx/nyyy"); err != nil {
		t.Fatal(err)
	}
	if n := from.reads[shim.NodesFile]; n < 2 || n > 8 {
		t.Errorf("one name took %d reads of nodes", n)
	}
	must(t, p.Load(t.Context()))
	before := from.reads[shim.NodesFile]
	if n := one.Count(); int(n) != len(treetest.List(one))-1 || n != 30*31 {
		t.Errorf("%d entries", n)
	}
	if n := from.reads[shim.NodesFile] - before; n != 0 {
		t.Errorf("all were loaded, and then %d more reads", n)
	}
}

func TestAPackThatIsNotOneIsAnError(t *testing.T) {
	_, out := big(t)
	read := func(spoil func(string, []byte) []byte) error {
		p, err := shim.OpenPack(t.Context(), &onDisk{dir: out, spoil: spoil})
		if err != nil {
			return err
		}
		all, err := p.Tree(t.Context())
		if err != nil {
			return err
		}
		for _, err := range tree.Walk(t.Context(), all, tree.WalkOptions{}) {
			if err != nil {
				return err
			}
		}
		return nil
	}
	in := func(name string, f func([]byte) []byte) func(string, []byte) []byte {
		return func(file string, b []byte) []byte {
			if file == name {
				return f(b)
			}
			return b
		}
	}
	for name, spoil := range map[string]func(string, []byte) []byte{
		"short index":   in(shim.IndexFile, func(b []byte) []byte { return b[:len(b)-1] }),
		"no index":      in(shim.IndexFile, func([]byte) []byte { return nil }),
		"index swapped": in(shim.IndexFile, func(b []byte) []byte { return append(append([]byte{}, b[44:88]...), b[:44]...) }),
		"far offset":    in(shim.IndexFile, func(b []byte) []byte { b[32] = 0xff; return b }),
		"beyond":        in(shim.IndexFile, func(b []byte) []byte { b[36] = 1; return b }),
		"long node":     in(shim.IndexFile, func(b []byte) []byte { b[40] = 0xff; return b }),
		"short nodes":   in(shim.NodesFile, func(b []byte) []byte { return b[:len(b)/2] }),
		"other nodes":   in(shim.NodesFile, func(b []byte) []byte { b[len(b)-1] ^= 1; return b }),
		"no root":       in(shim.RootFile, func([]byte) []byte { return nil }),
		"other root":    in(shim.RootFile, func(b []byte) []byte { return []byte("sha256:" + strings.Repeat("ab", 32)) }),
	} {
		if err := read(spoil); err == nil {
			t.Errorf("%s: accepted", name)
		} else {
			t.Logf("%s: %v", name, err)
		}
	}
	must(t, read(nil))
}

func TestASurveyThatCannotBeMadeSaysWhy(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "out"), 0o755))
	if err := runShim("survey", filepath.Join(dir, "absent"), filepath.Join(dir, "out")); err == nil || !strings.Contains(err.Error(), "absent: no such file") {
		t.Error(err)
	}
	if err := runShim("survey", dir, filepath.Join(dir, "nowhere")); err == nil || !strings.Contains(err.Error(), "nowhere: no such file") {
		t.Error(err)
	}
	must(t, os.WriteFile(filepath.Join(dir, "out", shim.NodesFile), nil, 0o644))
	if err := runShim("survey", dir, filepath.Join(dir, "out")); err == nil || !strings.Contains(err.Error(), "file exists") {
		t.Error(err)
	}
}
