package store_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/ncruces/go-sqlite3"
)

func kinds(r *store.FsckReport) map[store.Kind]int {
	m := map[store.Kind]int{}
	for _, p := range r.Problems {
		m[p.Kind]++
	}
	return m
}

func TestFsckSetsDamageAsideAndWritingHeals(t *testing.T) {
	s := open(t, t.TempDir())
	ctx := t.Context()
	tree, blobs := ingest(t, s, "r", "one", "two")
	key := digest.Of([]byte("key"))
	rec := store.Record{Trees: []digest.Digest{tree}}
	check(t, s.Commit(ctx, store.Changes{Results: map[digest.Digest]store.Record{key: rec}}))
	p := filepath.Join(s.BlobsDir(), s.BlobPath(blobs[0]))
	check(t, os.Chmod(p, 0o644))
	check(t, os.WriteFile(p, []byte("eno"), 0o644))

	r, err := s.Fsck(ctx)
	check(t, err)
	k := kinds(r)
	if k[store.KindBlob] != 2 || k[store.KindResult] != 1 || k[store.KindRef] != 1 { // damaged, and missing
		t.Fatal(r.Problems)
	}
	if f := files(t, filepath.Join(s.Dir(), "corrupt")); len(f) != 1 {
		t.Fatal(f)
	}
	if m, _ := s.Missing(ctx, blobs); len(m) != 1 || m[0] != blobs[0] {
		t.Fatalf("missing %v", m)
	}
	if m, _ := s.MissingNodes(ctx, []digest.Digest{tree}); len(m) != 1 {
		t.Fatal("a node over a missing blob counts as there")
	}
	if _, err := s.Node(ctx, tree); err != nil {
		t.Fatalf("it cannot be read: %v", err)
	}
	if _, ok, _ := s.Result(ctx, key); ok {
		t.Fatal("the result is still there")
	}
	r, err = s.Fsck(ctx)
	if k := kinds(r); err != nil || len(r.Problems) != 1 || k[store.KindRef] != 1 {
		t.Fatal(r.Problems, err)
	}
	s = reopen(t, s)
	ingest(t, s, "r", "one", "two")
	fsckClean(t, s)
	if m, _ := s.MissingNodes(ctx, []digest.Digest{tree}); len(m) != 0 {
		t.Fatal("not healed")
	}
}

// damageNode changes the bytes of a node.
func damageNode(t *testing.T, s *store.Store, d digest.Digest) {
	t.Helper()
	db, err := sqlite3.Open(filepath.Join(s.Dir(), "records.db"))
	check(t, err)
	st, _, err := db.Prepare("UPDATE nodes SET data = x'0000ff' WHERE digest = ?")
	check(t, err)
	sum := d.Sum()
	check(t, st.BindBlob(1, sum[:]))
	check(t, st.Exec())
	check(t, st.Close())
	check(t, db.Close())
}

func TestFsckFindsADamagedNode(t *testing.T) {
	s := open(t, t.TempDir())
	ctx := t.Context()
	leaf, _ := ingest(t, s, "leaf", "body")
	in, err := s.NewIngest(ctx)
	check(t, err)
	top := makeNode("top", []digest.Digest{leaf}, nil)
	check(t, in.Nodes(top))
	check(t, in.Commit(ctx, store.Changes{Refs: map[string]store.Record{"top": {Trees: []digest.Digest{top.Digest}}}}))
	s = reopen(t, s)
	damageNode(t, s, leaf)
	if _, err := s.Node(ctx, leaf); err == nil {
		t.Fatal("a damaged node is read")
	}
	r, err := s.Fsck(ctx)
	check(t, err)
	if k := kinds(r); k[store.KindNode] != 1 || k[store.KindRef] != 2 {
		t.Fatal(r.Problems)
	}
	if m, _ := s.MissingNodes(ctx, []digest.Digest{top.Digest}); len(m) != 1 {
		t.Fatal("a node over a damaged one counts as there")
	}
	if _, err := s.Node(ctx, top.Digest); err != nil || len(s.Unheld([]digest.Digest{leaf})) != 1 {
		t.Fatalf("what a node over a damaged one refers to counts as there; %v", err)
	}
	ingest(t, s, "leaf", "body")
	fsckClean(t, s)
}

func TestFsckSetsStrangeFilesAside(t *testing.T) {
	s := open(t, t.TempDir())
	_, blobs := ingest(t, s, "r", "body")
	check(t, os.WriteFile(filepath.Join(s.BlobsDir(), "00", "strange"), nil, 0o600))
	check(t, os.Chmod(filepath.Join(s.BlobsDir(), s.BlobPath(blobs[0])), 0o755|os.ModeSetuid))
	r, err := s.Fsck(t.Context())
	check(t, err)
	if len(r.Problems) != 2 {
		t.Fatal(r.Problems)
	}
	fsckClean(t, s)
}
