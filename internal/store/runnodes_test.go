package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/store"
)

// ownTree makes a run with a step whose tree is two nodes that are the run's own, above a
// node of the store with blobs, and a blob.
func ownTree(t testing.TB, s *store.Store, text string) (run string, top digest.Digest, nodes []store.Node) {
	t.Helper()
	below, _ := ingest(t, s, "", text+" below")
	in, err := s.NewIngest(t.Context())
	check(t, err)
	blob, _, err := in.Put(t.Context(), strings.NewReader(text))
	check(t, err)
	r, err := s.NewRun([]byte("{}"))
	check(t, err)
	leaf := makeNode(text+" leaf", []digest.Digest{below}, []digest.Digest{blob})
	root := makeNode(text+" root", []digest.Digest{leaf.Digest, below}, nil)
	nodes = []store.Node{leaf, root}
	if r.Room() != store.MaxRunNodes {
		t.Fatal("a run that has no nodes has no room for them")
	}
	step := store.Step{Name: "x", State: "done", After: root.Digest}
	check(t, in.Commit(t.Context(), store.Changes{Loose: true, Run: &store.RunChanges{Run: r, Nodes: nodes, Steps: []store.Step{step}}}))
	check(t, r.End(t.Context(), "done", nil))
	return r.Name(), root.Digest, nodes
}

func recordFile(s *store.Store, run string) string {
	return filepath.Join(s.Dir(), "runs", run)
}

func TestNodesOfARunAreThereByDigestAndNotTheStores(t *testing.T) {
	s := open(t, t.TempDir())
	_, top, nodes := ownTree(t, s, "text")
	for name, s := range map[string]*store.Store{"the same": s, "another": open(t, s.Dir())} {
		t.Run(name, func(t *testing.T) {
			check(t, walk(t.Context(), s, top))
			for _, n := range nodes {
				got, err := s.RunNode(t.Context(), n.Digest)
				if err != nil || !bytes.Equal(got, n.Data) || !s.KnowsRunNode(n.Digest) {
					t.Errorf("%q %v", got, err)
				}
				if _, err := s.Node(t.Context(), n.Digest); !errors.Is(err, store.ErrMissing) {
					t.Errorf("the store itself has it: %v", err)
				}
			}
			missing, err := s.Hold(t.Context(), []digest.Digest{top}, nil)
			if err != nil || len(missing) != 1 {
				t.Errorf("it is held: %v %v", missing, err)
			}
			if err := s.SetRef(t.Context(), "r", store.Record{Trees: []digest.Digest{top}}); !errors.Is(err, store.ErrIncomplete) {
				t.Errorf("it is named: %v", err)
			}
			other, err := s.NewRun(nil)
			check(t, err)
			if err := other.PutStep(t.Context(), store.Step{Name: "x", State: "done", After: top}); !errors.Is(err, store.ErrIncomplete) {
				t.Errorf("it is named by another run: %v", err)
			}
			if _, err := s.RunNode(t.Context(), digest.Of([]byte("none"))); !errors.Is(err, store.ErrMissing) {
				t.Error(err)
			}
		})
	}
	fsckClean(t, s)
}

func TestWhatIsNamedForGoodNeedsNoRun(t *testing.T) {
	s := open(t, t.TempDir())
	run, top, nodes := ownTree(t, s, "text")
	s = reopen(t, s)
	in, err := s.NewIngest(t.Context())
	check(t, err)
	check(t, in.Nodes(nodes...))
	check(t, in.Commit(t.Context(), store.Changes{Refs: map[string]store.Record{"r": {Trees: []digest.Digest{top}}}}))
	s = reopen(t, s)
	_, err = s.GC(t.Context(), store.GCOptions{KeepRuns: -1})
	check(t, err)
	if _, err := os.Stat(recordFile(s, run)); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	check(t, walk(t.Context(), s, top))
	fsckClean(t, s)
}

func TestGCKeepsWhatNodesOfARunReferTo(t *testing.T) {
	s := open(t, t.TempDir())
	_, top, _ := ownTree(t, s, "text")
	gone, _ := ingest(t, s, "", "gone")
	s = reopen(t, s)
	r, err := s.GC(t.Context(), store.GCOptions{})
	check(t, err)
	if r.Nodes != 1 || r.Blobs != 1 {
		t.Errorf("it removed %+v, not what is needed by nothing", r)
	}
	check(t, walk(t.Context(), s, top))
	if err := walk(t.Context(), s, gone); !errors.Is(err, store.ErrMissing) {
		t.Error(err)
	}
	fsckClean(t, s)
	s = reopen(t, s)
	r, err = s.GC(t.Context(), store.GCOptions{KeepRuns: -1})
	check(t, err)
	u, err := s.Du(t.Context())
	check(t, err)
	if r.Runs != 1 || u.Nodes.Number != 0 || u.Blobs.Number != 0 || u.Logs.Number != 0 {
		t.Errorf("without the run there are %+v", u)
	}
}

func TestWhoHasReadStepsReadsTheirTreesWhateverIsRemoved(t *testing.T) {
	for name, show := range map[string]func(s *store.Store, run string, top digest.Digest) error{
		"steps": func(s *store.Store, run string, _ digest.Digest) error {
			_, err := s.Steps(t.Context(), run)
			return err
		},
		"node": func(s *store.Store, _ string, top digest.Digest) error {
			_, err := s.RunNode(t.Context(), top)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, t.TempDir())
			run, top, _ := ownTree(t, s, "text")
			s = reopen(t, s)
			check(t, show(s, run, top))
			other := open(t, s.Dir())
			r, err := other.GC(t.Context(), store.GCOptions{KeepRuns: -1})
			check(t, err)
			if r.Runs != 1 {
				t.Fatalf("%+v", r)
			}
			check(t, walk(t.Context(), s, top))
			if _, err := other.RunNode(t.Context(), top); !errors.Is(err, store.ErrMissing) {
				t.Errorf("another one reads what is removed: %v", err)
			}
		})
	}
}

func TestNodesOfARunAreWrittenOnceAndFew(t *testing.T) {
	s := open(t, t.TempDir())
	run, err := s.NewRun(nil)
	check(t, err)
	size := 0
	for i := range 400 {
		n := makeNode(fmt.Sprint(i, strings.Repeat("x", i)), nil, nil)
		takes := run.Room() >= len(n.Data)
		ch := store.Changes{Loose: true, Run: &store.RunChanges{Run: run, Nodes: []store.Node{n, n}, Steps: []store.Step{{Index: i, Name: "x", State: "done", After: n.Digest}}}}
		for range 2 {
			if err := s.Commit(t.Context(), ch); (err == nil) != takes {
				t.Fatalf("node %d: it is taken %v: %v", i, takes, err)
			}
		}
		if takes {
			size += len(n.Data)
		}
		if run.HasNode(n.Digest) != takes {
			t.Fatalf("node %d: the run has it, or not", i)
		}
	}
	record, err := os.ReadFile(recordFile(s, run.Name()))
	check(t, err)
	if size > store.MaxRunNodes || size < store.MaxRunNodes-500 || len(record) > 4*store.MaxRunNodes {
		t.Errorf("the run has %d bytes of nodes, in a record of %d", size, len(record))
	}
	check(t, run.End(t.Context(), "done", nil))
	fsckClean(t, s)
}

// damage changes the record of a run.
func damage(t testing.TB, s *store.Store, run string, change func(record []byte) []byte) {
	t.Helper()
	record, err := os.ReadFile(recordFile(s, run))
	check(t, err)
	check(t, os.WriteFile(recordFile(s, run), change(bytes.Clone(record)), 0o600))
}

// A power cut may take any piece of a record. What else is in it is there, and so are the
// other runs.
func TestFsckNamesStepsWhoseNodesAreLost(t *testing.T) {
	s := open(t, t.TempDir())
	run, top, nodes := ownTree(t, s, "text")
	_, other, _ := ownTree(t, s, "other")
	record, err := os.ReadFile(recordFile(s, run))
	check(t, err)
	from := bytes.Index(record, []byte(`{"node"`))
	to := bytes.Index(record, []byte(`{"step"`))
	second := from + 1 + bytes.Index(record[from+1:], []byte(`{"node"`))
	s = reopen(t, s)
	for at := from; at < to-20; at += 7 {
		damage(t, s, run, func([]byte) []byte { return slices.Concat(record[:at], make([]byte, 20), record[at+20:]) })
		one := open(t, s.Dir())
		check(t, walk(t.Context(), one, other))
		if err := walk(t.Context(), one, top); !errors.Is(err, store.ErrMissing) {
			t.Fatalf("damaged at %d: %v", at, err)
		}
		if _, err := one.RunNode(t.Context(), nodes[0].Digest); (err == nil) != (at >= second) {
			t.Fatalf("damaged at %d, the first node: %v", at, err)
		}
		r, err := one.Fsck(t.Context())
		check(t, err)
		if len(r.Problems) < 2 || r.Problems[len(r.Problems)-1].Name != run+" step 0" {
			t.Fatalf("damaged at %d, fsck says %v", at, r.Problems)
		}
		for _, p := range r.Problems {
			if !strings.HasPrefix(p.Name, run) {
				t.Errorf("fsck says %v", p)
			}
		}
		check(t, one.Close(t.Context()))
	}
	_, err = s.GC(t.Context(), store.GCOptions{})
	check(t, err)
	check(t, walk(t.Context(), s, other))
}

func TestFsckNamesDamagedNodesOfRuns(t *testing.T) {
	s := open(t, t.TempDir())
	run, top, nodes := ownTree(t, s, "text")
	damage(t, s, run, func(record []byte) []byte {
		end := bytes.Index(record, []byte(`"}}`)) // of the first node, whose name ends there
		record[end-4] ^= 2                        // one letter for another
		return record
	})
	s = reopen(t, s)
	r, err := s.Fsck(t.Context())
	check(t, err)
	if len(r.Problems) != 2 || r.Problems[0].Digest != nodes[0].Digest || r.Problems[1].Name != run+" step 0" {
		t.Errorf("fsck says %v", r.Problems)
	}
	if _, err := s.RunNode(t.Context(), nodes[0].Digest); !errors.Is(err, store.ErrMissing) {
		t.Error(err)
	}
	if _, err := s.RunNode(t.Context(), top); err != nil {
		t.Error(err)
	}
}

// What a node refers to may be lost, as when a power cut took what was not flushed.
func TestFsckNamesWhatNodesOfRunsLack(t *testing.T) {
	s := open(t, t.TempDir())
	run, _, _ := ownTree(t, s, "text")
	d := digest.Of([]byte("text"))
	check(t, os.Remove(filepath.Join(s.Dir(), "blobs", d.Hex()[:2], d.Hex()[2:])))
	r, err := s.Fsck(t.Context())
	check(t, err)
	if len(r.Problems) != 1 || r.Problems[0].Name != run+" step 0" {
		t.Errorf("fsck says %v", r.Problems)
	}
}

func TestWhatANodeOfARunNeedsMustBeThere(t *testing.T) {
	s := open(t, t.TempDir())
	run, err := s.NewRun(nil)
	check(t, err)
	none := digest.Of([]byte("none"))
	for name, n := range map[string]store.Node{
		"a node": makeNode("n", []digest.Digest{none}, nil),
		"a blob": makeNode("b", nil, []digest.Digest{none}),
	} {
		ch := store.Changes{Loose: true, Run: &store.RunChanges{Run: run, Nodes: []store.Node{n}}}
		if err := s.Commit(t.Context(), ch); !errors.Is(err, store.ErrIncomplete) {
			t.Errorf("without %s: %v", name, err)
		}
	}
	n := makeNode("n", nil, nil)
	n.Digest = none
	if err := s.Commit(t.Context(), store.Changes{Run: &store.RunChanges{Run: run, Nodes: []store.Node{n}}}); !errors.Is(err, digest.ErrMismatch) {
		t.Error(err)
	}
	check(t, run.End(t.Context(), "done", nil))
}

// A reader sees of a run that goes on what it has, as it grows.
func TestNodesOfARunThatGoesOnAreSeen(t *testing.T) {
	s := open(t, t.TempDir())
	run, err := s.NewRun(nil)
	check(t, err)
	reader := open(t, s.Dir())
	above := []digest.Digest(nil)
	for i := range 20 {
		n := makeNode(fmt.Sprint(i), above, nil)
		step := store.Step{Index: i, Name: "x", State: "done", After: n.Digest}
		check(t, s.Commit(t.Context(), store.Changes{Loose: true, Run: &store.RunChanges{Run: run, Nodes: []store.Node{n}, Steps: []store.Step{step}}}))
		if i%2 == 0 {
			_, err := reader.Steps(t.Context(), run.Name())
			check(t, err)
		}
		check(t, walk(t.Context(), reader, n.Digest))
		above = []digest.Digest{n.Digest}
	}
	check(t, run.End(context.Background(), "done", nil))
}
