package embedded_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/engine/runs"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/inlaybuild/inlay/tree"
)

// wholeTree reads all nodes of a tree, and gives its digest.
func wholeTree(t testing.TB, tr tree.Tree) digest.Digest {
	t.Helper()
	d, err := tree.NewMemory().Save(context.Background(), tr)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// isInStore tells whether the database has a tree.
func isInStore(t testing.TB, e *embedded.Engine, d digest.Digest) bool {
	t.Helper()
	missing, err := e.Store().MissingNodes(context.Background(), []digest.Digest{d})
	if err != nil {
		t.Fatal(err)
	}
	return len(missing) == 0
}

// bigDirectory makes a directory of files in a few directories.
func bigDirectory(t testing.TB) string {
	dir := t.TempDir()
	for i := range 2000 {
		sub := filepath.Join(dir, fmt.Sprint("dir", i%7))
		if err := errors.Join(os.MkdirAll(sub, 0o755), os.WriteFile(filepath.Join(sub, fmt.Sprint("file", i)), []byte{byte(i)}, 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Whatever composes a tree of what the store has, and of trees of earlier runs: it is
// found by the names of its steps and by its digests when the process has ended, and
// after a collection, although only its run has it. Named for good, it needs no run.
func TestTreesThatOnlyARunHasAreFound(t *testing.T) {
	host := graph.New(graph.Host{Path: bigDirectory(t)}, "host")
	dir := filepath.Join(t.TempDir(), "store")
	seed := rand.Uint64()
	t.Log("seed", seed)
	draw := rand.New(rand.NewPCG(seed, 0))
	goesOn := false // from the last run
	for round := range 20 {
		if !goesOn { // what is large is in the store
			in(t, embedded.Options{Store: dir, Record: true}, func(e *embedded.Engine) { resolved(t, e, host) })
		}
		n := graph.New(graph.Merge{}, "host", host)
		if goesOn && draw.IntN(2) == 0 {
			n = from("last")
		}
		for i := range 1 + draw.IntN(4) {
			at := fmt.Sprintf("/%s/new%d.%d", []string{"dir1", "dir2", "x"}[draw.IntN(3)], round, i)
			switch draw.IntN(3) {
			case 0:
				n = graph.New(graph.NewFile{Path: at, Content: []byte("text")}, "file", n)
			case 1:
				n = graph.New(graph.Symlink{Path: at, Target: "x"}, "link", n)
			case 2:
				n = graph.New(graph.Copy{To: at, From: []string{"/dir3/"}}, "copy", n, host)
			}
		}
		var want digest.Digest
		var f runs.Found
		in(t, embedded.Options{Store: dir, Record: true}, func(e *embedded.Engine) {
			r, err := e.Resolve(t.Context(), n, nil)
			if err != nil {
				t.Fatal(err)
			}
			want = r.Tree.Digest()
			if f, _ = found(t, e, "last"); len(ownNodes(t, e, f.Run.Name)) == 0 || isInStore(t, e, want) {
				t.Fatalf("the run has %d nodes by itself; the store has its tree: %v", len(ownNodes(t, e, f.Run.Name)), isInStore(t, e, want))
			}
		})
		look := func(e *embedded.Engine) {
			names := []string{"last", fmt.Sprint("last@", len(f.Steps)), f.Run.Name, want.String()}
			for _, name := range names {
				if got := resolved(t, e, from(name)); wholeTree(t, got) != want {
					t.Fatalf("%s is %s, want %s", name, got.Digest(), want)
				}
			}
			for _, st := range f.Steps {
				if !st.Before.IsZero() && wholeTree(t, resolved(t, e, from(st.Before.String()))) != st.Before {
					t.Fatalf("what step %d began with is another tree", st.Number())
				}
			}
			x, err := e.Explain(t.Context(), runs.Name{Run: f.Run.Name})
			if last := x.Steps[len(x.Steps)-1]; err != nil || last.Change == nil || last.Change.Added == 0 {
				t.Fatalf("explained as %+v: %v", last.Change, err)
			}
		}
		in(t, embedded.Options{Store: dir}, look)
		in(t, embedded.Options{Store: dir}, func(e *embedded.Engine) { collect(t, e, store.GCOptions{KeepBytes: -1}) })
		in(t, embedded.Options{Store: dir}, func(e *embedded.Engine) {
			look(e)
			sound(t, e)
		})
		if goesOn = draw.IntN(4) > 0; goesOn {
			continue
		}
		place, err := engine.ParsePlace([]string{"last", want.String()}[draw.IntN(2)])
		if err != nil {
			t.Fatal(err)
		}
		in(t, embedded.Options{Store: dir}, func(e *embedded.Engine) {
			if _, err := e.Import(t.Context(), place, "named", embedded.ImportOptions{}); err != nil {
				t.Fatal(err)
			}
		})
		in(t, embedded.Options{Store: dir}, func(e *embedded.Engine) { collect(t, e, collectAll) })
		in(t, embedded.Options{Store: dir}, func(e *embedded.Engine) {
			if got := resolved(t, e, from("named")); wholeTree(t, got) != want || !isInStore(t, e, want) {
				t.Fatal("what was named is another tree, or not in the store")
			}
			sound(t, e)
		})
	}
}

// in calls f with an engine that is closed afterwards, as a process is that ends.
func in(t testing.TB, o embedded.Options, f func(*embedded.Engine)) {
	t.Helper()
	e, err := embedded.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	f(e)
}

func resolved(t testing.TB, e *embedded.Engine, n *graph.Node) tree.Tree {
	t.Helper()
	r, err := e.Resolve(t.Context(), n, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r.Tree
}

func collect(t testing.TB, e *embedded.Engine, o store.GCOptions) {
	t.Helper()
	if _, err := e.Collect(t.Context(), o); err != nil {
		t.Fatal(err)
	}
}

// What a process made of such a tree is a result, and needs no run.
func TestResultsOfTreesThatOnlyARunHasNeedNoRun(t *testing.T) {
	needsProcesses(t)
	dir := filepath.Join(t.TempDir(), "store")
	var base digest.Digest
	makeBase := func(e *embedded.Engine) {
		base = resolved(t, e, graph.New(graph.NewFile{Path: "/new", Content: []byte("text")}, "new", script(t, graph.Exec{}, "true").Inputs()[0])).Digest()
		if isInStore(t, e, base) {
			t.Fatal("the store has it")
		}
	}
	result := func(e *embedded.Engine, where string) {
		x := graph.Exec{Args: []string{"/bin/busybox", "sh", "-ec", "busybox cat /new; echo > '/" + where + "'"}}
		r, err := e.Resolve(t.Context(), graph.New(x, "exec", from(base.String())), nil)
		if err != nil {
			t.Fatal(err)
		}
		if !isInStore(t, e, r.Tree.Digest()) {
			t.Errorf("in %s process: the result is not in the store", where)
		}
		place, err := engine.ParsePlace("oci:" + filepath.Join(t.TempDir(), "image"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Export(t.Context(), r, place, exportDefault); err != nil {
			t.Error(err)
		}
	}
	o := embedded.Options{Store: dir, Record: true}
	in(t, o, func(e *embedded.Engine) {
		makeBase(e)
		result(e, "the same")
	})
	in(t, o, func(e *embedded.Engine) { result(e, "another") })
	in(t, o, func(e *embedded.Engine) { collect(t, e, collectAll) })
	in(t, o, func(e *embedded.Engine) {
		if _, err := e.Resolve(t.Context(), from(base.String()), nil); !errors.Is(err, store.ErrMissing) {
			t.Errorf("the tree of a run that is gone: %v", err)
		}
		makeBase(e)
		for _, where := range []string{"the same", "another"} {
			x := graph.Exec{Args: []string{"/bin/busybox", "sh", "-ec", "busybox cat /new; echo > '/" + where + "'"}}
			_, err := e.Resolve(t.Context(), graph.New(x, "exec", from(base.String())), nil)
			_, st := found(t, e, "last@exec")
			if err != nil || st.State != runs.Cached {
				t.Errorf("the result of %s process: %s, %v", where, st.State, err)
			}
		}
		sound(t, e)
	})
}

// A run that makes much has it in the store, whole, also what it had by itself before.
func TestARunThatMakesMuchHasItInTheStore(t *testing.T) {
	e := open(t, embedded.Options{Record: true})
	r := e.Begin("a script")
	n := graph.New(graph.NewFile{Path: "/first/file"}, "first", graph.New(graph.Scratch{}, "scratch"))
	first, err := r.Resolve(t.Context(), n, nil)
	if err != nil {
		t.Fatal(err)
	}
	if isInStore(t, e, first.Tree.Digest()) || len(ownNodes(t, e, r.Name())) == 0 {
		t.Error("the small tree is in the store")
	}
	for i := range 150 { // each in a chunk that is copied
		n = graph.New(graph.NewFile{Path: fmt.Sprint("/first/", i, strings.Repeat("x", 200))}, "more", n)
	}
	second, err := r.Resolve(t.Context(), n, nil)
	if err != nil {
		t.Fatal(err)
	}
	if !isInStore(t, e, second.Tree.Digest()) {
		t.Error("the large tree is not in the store")
	}
	third, err := r.Resolve(t.Context(), graph.New(graph.NewFile{Path: "/second"}, "small", n), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.End(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	other := open(t, embedded.Options{Store: e.Store().Dir()})
	for _, want := range []tree.Tree{first.Tree, second.Tree, third.Tree} {
		got, err := other.Resolve(t.Context(), from(want.Digest().String()), nil)
		if err != nil || wholeTree(t, got.Tree) != want.Digest() {
			t.Error(err)
		}
	}
	sound(t, e)
}
