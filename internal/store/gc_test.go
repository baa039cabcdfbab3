package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/store"
)

// reopen gives a store without leases.
func reopen(t *testing.T, s *store.Store) *store.Store {
	t.Helper()
	check(t, s.Close(t.Context()))
	return open(t, s.Dir())
}

func TestGCRemovesWhatNothingNames(t *testing.T) {
	s := open(t, t.TempDir())
	ctx := t.Context()
	keep, kept := ingest(t, s, "keep", "shared", "kept")
	_, gone := ingest(t, s, "gone", "shared", "gone")
	check(t, s.DeleteRef(ctx, "gone"))
	s = reopen(t, s)
	u, err := s.Du(ctx)
	check(t, err)
	if u.Blobs.Number != 3 || u.Nodes.Number != 2 || u.Reclaimable == 0 {
		t.Fatalf("%+v", u)
	}
	r, err := s.GC(ctx, store.GCOptions{})
	check(t, err)
	if r.Blobs != 1 || r.Nodes != 1 || r.BlobBytes+r.NodeBytes != u.Reclaimable {
		t.Fatalf("%+v of %+v", r, u)
	}
	if m, _ := s.Missing(ctx, append(kept, gone...)); len(m) != 1 || m[0] != gone[1] {
		t.Fatalf("missing %v", m)
	}
	if m, _ := s.MissingNodes(ctx, []digest.Digest{keep}); len(m) != 0 {
		t.Fatal("the kept tree is gone")
	}
	fsckClean(t, s)
}

func TestGCKeepsWhatAnOpenStoreWasShown(t *testing.T) {
	for name, show := range map[string]func(s *store.Store, tree, blob digest.Digest) error{
		"node": func(s *store.Store, tree, _ digest.Digest) error { _, err := s.Node(t.Context(), tree); return err },
		"missing": func(s *store.Store, tree, _ digest.Digest) error {
			_, err := s.MissingNodes(t.Context(), []digest.Digest{tree})
			return err
		},
		"ref":  func(s *store.Store, _, _ digest.Digest) error { _, err := s.Ref(t.Context(), "r"); return err },
		"refs": func(s *store.Store, _, _ digest.Digest) error { _, err := s.Refs(t.Context()); return err },
		"hold": func(s *store.Store, tree, _ digest.Digest) error {
			_, err := s.Hold(t.Context(), []digest.Digest{tree}, nil)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, t.TempDir())
			tree, blobs := ingest(t, s, "r", "body")
			s = reopen(t, s)
			check(t, show(s, tree, blobs[0]))
			other := open(t, s.Dir())
			check(t, other.DeleteRef(t.Context(), "r"))
			_, err := other.GC(t.Context(), store.GCOptions{KeepBytes: -1})
			check(t, err)
			if contents(t, s, blobs[0]) != "body" {
				t.Fatal("differs")
			}
			check(t, s.Close(t.Context()))
			check(t, other.Close(t.Context()))
			last := open(t, s.Dir())
			r, err := last.GC(t.Context(), store.GCOptions{})
			if err != nil || r.Blobs != 1 || r.Nodes != 1 {
				t.Fatalf("after the lease ended: %+v %v", r, err)
			}
		})
	}
}

// readTop gives a store with a node over a leaf, and has it read the upper one alone, with
// a run to come.
func readTop(t *testing.T) (s *store.Store, leaf digest.Digest, top store.Node) {
	s = open(t, t.TempDir())
	leaf, _ = ingest(t, s, "", "body")
	top = makeNode("top", []digest.Digest{leaf}, nil)
	in, err := s.NewIngest(t.Context())
	check(t, err)
	check(t, in.Nodes(top))
	check(t, in.Commit(t.Context(), store.Changes{Refs: map[string]store.Record{"r": {Trees: []digest.Digest{top.Digest}}}}))
	s = reopen(t, s)
	_, err = s.NewRun(nil) // from now on it looks at what nodes refer to
	check(t, err)
	_, err = s.Node(t.Context(), top.Digest)
	check(t, err)
	return s, leaf, top
}

func TestWhatANodeThatWasReadRefersToIsKeptForRuns(t *testing.T) {
	s, leaf, _ := readTop(t)
	other := open(t, s.Dir())
	check(t, other.DeleteRef(t.Context(), "r"))
	_, err := other.GC(t.Context(), store.GCOptions{KeepBytes: -1})
	check(t, err)
	run, err := s.NewRun(nil)
	check(t, err)
	check(t, run.PutStep(t.Context(), store.Step{After: leaf}))
	check(t, run.End(t.Context(), "done", nil))
	fsckClean(t, s)
	s = reopen(t, s)
	_, err = other.GC(t.Context(), store.GCOptions{KeepBytes: -1})
	check(t, err)
	check(t, walk(t.Context(), s, leaf))
}

func TestWhatWasReadGivesNoLastingNameToWhatIsDamaged(t *testing.T) {
	t.Run("collected below a damaged node", func(t *testing.T) {
		s, leaf, top := readTop(t)
		damageNode(t, s, top.Digest)
		other := open(t, s.Dir())
		check(t, other.DeleteRef(t.Context(), "r"))
		_, err := other.GC(t.Context(), store.GCOptions{KeepBytes: -1})
		check(t, err)
		err = s.Commit(t.Context(), store.Changes{Refs: map[string]store.Record{"x": {Trees: []digest.Digest{leaf}}}})
		if !errors.Is(err, store.ErrIncomplete) {
			t.Errorf("a name for what is gone: %v", err)
		}
	})
	t.Run("set aside by fsck", func(t *testing.T) {
		s, leaf, top := readTop(t)
		damageNode(t, s, leaf)
		other := open(t, s.Dir())
		_, err := other.Fsck(t.Context())
		check(t, err)
		in, err := s.NewIngest(t.Context())
		check(t, err)
		check(t, in.Nodes(top))
		if err := in.Commit(t.Context(), store.Changes{}); !errors.Is(err, store.ErrIncomplete) {
			t.Errorf("a node over one that is gone: %v", err)
		}
		if m, err := other.MissingNodes(t.Context(), []digest.Digest{top.Digest}); len(m) != 1 || err != nil {
			t.Errorf("it counts as whole; %v", err)
		}
		if len(s.Unheld([]digest.Digest{leaf})) != 1 {
			t.Error("what is gone is held")
		}
	})
}

func TestGCForgetsTheLeastRecentlyUsedResults(t *testing.T) {
	now := time.Now()
	o := options()
	o.Now = func() time.Time { return now }
	dir := t.TempDir()
	ctx := t.Context()
	s, err := store.Open(ctx, dir, o)
	check(t, err)
	var keys []digest.Digest
	for i := range 4 {
		in, err := s.NewIngest(ctx)
		check(t, err)
		d, _, err := in.PutBytes(ctx, []byte(strings.Repeat(fmt.Sprint(i), 1000)))
		check(t, err)
		key := digest.Of(fmt.Append(nil, i))
		keys = append(keys, key)
		check(t, in.Commit(ctx, store.Changes{Results: map[digest.Digest]store.Record{key: {Blobs: []digest.Digest{d}}}}))
		now = now.Add(2 * time.Hour)
	}
	_, _, err = s.Result(ctx, keys[0]) // the oldest is used again
	check(t, err)
	check(t, s.Close(ctx))
	s = open(t, dir)
	r, err := s.GC(ctx, store.GCOptions{KeepBytes: 2500})
	if err != nil || r.Results != 2 || r.Blobs != 2 || r.LiveBytes != 2000 {
		t.Fatalf("%+v %v", r, err)
	}
	m, err := s.Results(ctx, keys)
	check(t, err)
	if _, a := m[keys[0]]; !a || len(m) != 2 {
		t.Fatalf("kept %v", m)
	}
	s = reopen(t, s)
	if r, err := s.GC(ctx, store.GCOptions{KeepBytes: -1}); err != nil || r.Results != 2 || r.Blobs != 2 {
		t.Fatalf("%+v %v", r, err)
	}
}

func TestResultsThatNameNothingCountByWhatTheyAre(t *testing.T) {
	now := time.Now()
	o := options()
	o.Now = func() time.Time { return now }
	dir := t.TempDir()
	ctx := t.Context()
	s, err := store.Open(ctx, dir, o)
	check(t, err)
	in, err := s.NewIngest(ctx)
	check(t, err)
	d, _, err := in.PutBytes(ctx, []byte(strings.Repeat("b", 500)))
	check(t, err)
	named := digest.Of([]byte("named"))
	check(t, in.Commit(ctx, store.Changes{Results: map[digest.Digest]store.Record{named: {Blobs: []digest.Digest{d}, Data: []byte("data")}}}))
	keys := []digest.Digest{named}
	for i := range 4 {
		now = now.Add(2 * time.Hour)
		key := digest.Of(fmt.Append(nil, i))
		keys = append(keys, key)
		check(t, s.Commit(ctx, store.Changes{Results: map[digest.Digest]store.Record{key: {Data: make([]byte, 1000)}}}))
	}
	now = now.Add(2 * time.Hour)
	_, _, err = s.Result(ctx, named)
	check(t, err)
	check(t, s.Close(ctx))
	s = open(t, dir)
	if r, err := s.GC(ctx, store.GCOptions{}); err != nil || r.Results != 0 {
		t.Fatalf("%+v %v", r, err)
	}
	if r, err := s.GC(ctx, store.GCOptions{KeepBytes: 2600}); err != nil || r.Results != 2 || r.LiveBytes != 500 {
		t.Fatalf("%+v %v", r, err)
	}
	m, err := s.Results(ctx, keys)
	check(t, err)
	for i, key := range keys {
		if _, ok := m[key]; ok != (i == 0 || i > 2) {
			t.Errorf("result %d is there: %v", i, ok)
		}
	}
}

func TestAResultWhoseBlobIsGoneIsAMiss(t *testing.T) {
	s := open(t, t.TempDir())
	ctx := t.Context()
	in, err := s.NewIngest(ctx)
	check(t, err)
	d, _, err := in.PutBytes(ctx, []byte("body"))
	check(t, err)
	key := digest.Of([]byte("key"))
	check(t, in.Commit(ctx, store.Changes{Results: map[digest.Digest]store.Record{key: {Blobs: []digest.Digest{d}}}}))
	check(t, os.Remove(filepath.Join(s.BlobsDir(), s.BlobPath(d))))
	if _, ok, err := s.Result(ctx, key); ok || err != nil {
		t.Fatalf("%v %v", ok, err)
	}
}

func TestRunsAreKeptByCountAndCrashedOnesAreSeen(t *testing.T) {
	s := open(t, t.TempDir())
	ctx := t.Context()
	tree, blobs := ingest(t, s, "", "of a step")
	var names []string
	for range 3 {
		run, err := s.NewRun([]byte("{}"))
		check(t, err)
		names = append(names, run.Name())
		check(t, run.PutStep(ctx, store.Step{Index: 1, Name: "exec", State: store.Running, Before: tree}))
		check(t, run.PutStep(ctx, store.Step{Index: 1, Name: "exec", State: "done", Before: tree, After: tree}))
		w, err := run.Log(1)
		check(t, err)
		_, err = w.Write([]byte("output\n"))
		check(t, errors.Join(err, w.Close(), run.End(ctx, "done", nil), run.End(ctx, "failed", nil)))
	}
	live, err := s.NewRun(nil)
	check(t, err)
	defer runtime.KeepAlive(live) // its lock ends with it
	if err := live.PutStep(ctx, store.Step{After: digest.Of(nil)}); !errors.Is(err, store.ErrIncomplete) {
		t.Fatal(err)
	}
	if runs, err := s.Runs(ctx); err != nil || len(runs) != 3 {
		t.Fatalf("a run of which nothing was recorded yet: %+v %v", runs, err)
	}
	check(t, live.PutStep(ctx, store.Step{Name: "exec", State: store.Running}))
	steps, err := s.Steps(ctx, names[0])
	if err != nil || len(steps) != 1 || steps[0].State != "done" || steps[0].After != tree {
		t.Fatalf("%+v %v", steps, err)
	}
	_, err = s.GC(ctx, store.GCOptions{KeepRuns: 2})
	check(t, err)
	runs, err := s.Runs(ctx)
	if err != nil || len(runs) != 2 || runs[0].Name != names[2] || runs[0].State != "done" || runs[1].State != store.Running {
		t.Fatalf("%+v %v", runs, err)
	}
	if f, err := s.OpenLog(names[0], 1); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("log %v %v", f, err)
	}
	s2 := reopen(t, s)
	_, err = s2.GC(ctx, store.GCOptions{})
	check(t, err)
	if contents(t, s2, blobs[0]) != "of a step" {
		t.Fatal("the tree of a kept run is gone")
	}
	_, err = s2.GC(ctx, store.GCOptions{KeepRuns: -1})
	check(t, err)
	if runs, _ := s2.Runs(ctx); len(runs) != 1 {
		t.Fatalf("the running run is gone: %v", runs)
	}
}

func TestGCClearsTheCacheOfRoots(t *testing.T) {
	s := open(t, t.TempDir())
	ctx := t.Context()
	a, err := s.LockRoot(ctx, "a", true)
	check(t, err)
	check(t, os.WriteFile(filepath.Join(a.Path(), "image"), nil, 0o600))
	check(t, a.Share())
	again, err := s.LockRoot(ctx, "a", false)
	check(t, err)
	b, err := s.LockRoot(ctx, "b", true)
	check(t, err)
	check(t, errors.Join(b.Close(), again.Close()))
	if r, err := s.GC(ctx, store.GCOptions{}); err != nil || r.Roots != 1 {
		t.Fatalf("%+v %v", r, err)
	}
	if f := files(t, s.Roots()); len(f) != 1 {
		t.Fatal(f)
	}
	if _, err := s.LockRoot(ctx, "../x", true); err == nil {
		t.Fatal("a root outside")
	}
}

func TestGCWaitsOnlySoLongForWhoHangs(t *testing.T) {
	o := options()
	o.Wait = 100 * time.Millisecond
	dir := t.TempDir()
	s, err := store.Open(t.Context(), dir, o)
	check(t, err)
	defer s.Close(context.Background())
	ingest(t, s, "", "garbage")
	s = reopenWith(t, s, o)
	release := s.HoldGate(t)
	_, err = s.GC(t.Context(), store.GCOptions{})
	if !errors.Is(err, store.ErrBusy) {
		t.Fatalf("%v", err)
	}
	release()
	if r, err := s.GC(t.Context(), store.GCOptions{}); err != nil || r.Blobs != 1 {
		t.Fatalf("%+v %v", r, err)
	}
}

func reopenWith(t *testing.T, s *store.Store, o store.Options) *store.Store {
	t.Helper()
	check(t, s.Close(t.Context()))
	s, err := store.Open(t.Context(), s.Dir(), o)
	check(t, err)
	return s
}
