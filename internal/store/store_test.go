package store_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/store"
)

// makeNode and references are a small node format for the tests.
func makeNode(name string, nodes, blobs []digest.Digest) store.Node {
	b := binary.AppendUvarint(nil, uint64(len(nodes)))
	for _, d := range nodes {
		b = d.Append(b)
	}
	b = binary.AppendUvarint(b, uint64(len(blobs)))
	for _, d := range blobs {
		b = d.Append(b)
	}
	b = append(b, name...)
	return store.Node{Digest: digest.Of(b), Data: b}
}

func references(b []byte) (nodes, blobs []digest.Digest, err error) {
	for _, list := range []*[]digest.Digest{&nodes, &blobs} {
		n, used := binary.Uvarint(b)
		if used <= 0 || n > uint64(len(b)/digest.Size) {
			return nil, nil, errors.New("not a node")
		}
		b = b[used:]
		for range n {
			if len(b) < digest.Size {
				return nil, nil, errors.New("not a node")
			}
			d, err := digest.FromSum(b[:digest.Size])
			if err != nil {
				return nil, nil, err
			}
			*list = append(*list, d)
			b = b[digest.Size:]
		}
	}
	return nodes, blobs, nil
}

func options() store.Options { return store.Options{References: references, Wait: 20 * time.Second} }

func open(t testing.TB, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), dir, options())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(context.Background()) })
	return s
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// ingest commits a tree of one node over blobs of the bodies, and names it.
func ingest(t testing.TB, s *store.Store, ref string, bodies ...string) (tree digest.Digest, blobs []digest.Digest) {
	t.Helper()
	in, err := s.NewIngest(t.Context())
	check(t, err)
	for _, b := range bodies {
		d, _, err := in.Put(t.Context(), bytes.NewReader([]byte(b)))
		check(t, err)
		blobs = append(blobs, d)
	}
	n := makeNode(ref, nil, blobs)
	check(t, in.Nodes(n))
	ch := store.Changes{}
	if ref != "" {
		ch.Refs = map[string]store.Record{ref: {Trees: []digest.Digest{n.Digest}}}
	}
	check(t, in.Commit(t.Context(), ch))
	return n.Digest, blobs
}

func fsckClean(t testing.TB, s *store.Store) {
	t.Helper()
	r, err := s.Fsck(t.Context())
	check(t, err)
	for _, p := range r.Problems {
		t.Errorf("fsck: %v", p)
	}
}

func contents(t testing.TB, s *store.Store, d digest.Digest) string {
	t.Helper()
	b, err := s.OpenBlob(t.Context(), d)
	check(t, err)
	defer b.Close()
	data, err := io.ReadAll(digest.Verify(b, d, b.Size()))
	check(t, err)
	return string(data)
}

func files(t testing.TB, dir string) (names []string) {
	t.Helper()
	check(t, filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			rel, _ := filepath.Rel(dir, p)
			names = append(names, rel)
		}
		return err
	}))
	return names
}

func TestWhatWasCommittedIsThereAfterReopening(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a #dir?%41")
	s := open(t, dir)
	ctx := t.Context()
	big := string(bytes.Repeat([]byte("0123456789abcdef"), 20_000))
	in, err := s.NewIngest(ctx)
	check(t, err)
	var blobs []digest.Digest
	for _, body := range []string{"", "one", big, big[:65536], big[:65537]} {
		w := in.Create()
		for rest := []byte(body); len(rest) > 0; {
			n := min(len(rest), 7777)
			_, err := w.Write(rest[:n])
			check(t, err)
			rest = rest[n:]
		}
		d, size, err := w.Finish(ctx)
		check(t, err)
		if d != digest.Of([]byte(body)) || size != int64(len(body)) {
			t.Fatalf("%d bytes became %s of %d", len(body), d, size)
		}
		blobs = append(blobs, d)
	}
	if m, err := s.Missing(ctx, blobs); err != nil || len(m) != len(blobs) {
		t.Fatalf("before the commit %d of %d are missing, %v", len(m), len(blobs), err)
	}
	leaf := makeNode("leaf", nil, blobs)
	root := makeNode("root", []digest.Digest{leaf.Digest}, nil)
	check(t, in.Nodes(root, leaf))
	key := digest.Of([]byte("key"))
	rec := store.Record{Trees: []digest.Digest{root.Digest}, Blobs: blobs[:1], Data: []byte(`{"a":1}`)}
	check(t, in.Commit(ctx, store.Changes{Results: map[digest.Digest]store.Record{key: rec}, Refs: map[string]store.Record{"name": rec}}))
	check(t, s.Close(ctx))

	s = open(t, dir)
	got, ok, err := s.Result(ctx, key)
	if err != nil || !ok || got.Trees[0] != root.Digest || got.Blobs[0] != blobs[0] || string(got.Data) != `{"a":1}` {
		t.Fatalf("result %v %v %v", got, ok, err)
	}
	ref, err := s.Ref(ctx, "name")
	if err != nil || ref.Trees[0] != root.Digest || time.Since(ref.Time) > time.Minute {
		t.Fatalf("ref %v %v", ref, err)
	}
	data, err := s.Node(ctx, leaf.Digest)
	if err != nil || !bytes.Equal(data, leaf.Data) {
		t.Fatalf("node %v", err)
	}
	if contents(t, s, blobs[2]) != big {
		t.Fatal("a blob differs")
	}
	info, err := os.Stat(filepath.Join(s.BlobsDir(), s.BlobPath(blobs[2])))
	if err != nil || info.Mode() != 0o444 {
		t.Fatalf("mode %v, %v", info, err)
	}
	fsckClean(t, s)
	check(t, s.Close(ctx))
	if left := files(t, filepath.Join(dir, "ingest")); len(left) > 0 {
		t.Fatalf("left in ingest: %v", left)
	}
	for _, f := range files(t, filepath.Join(dir, "leases")) {
		if f[0] != '.' {
			t.Fatalf("left in leases: %s", f)
		}
	}
}

func TestMissingThingsSaySo(t *testing.T) {
	s := open(t, t.TempDir())
	d := digest.Of([]byte("nothing"))
	_, blobErr := s.OpenBlob(t.Context(), d)
	_, nodeErr := s.Node(t.Context(), d)
	_, refErr := s.Ref(t.Context(), "nothing")
	_, runErr := s.Steps(t.Context(), "nothing")
	for _, err := range []error{blobErr, nodeErr, refErr, runErr, s.DeleteRef(t.Context(), "nothing")} {
		var missing *store.MissingError
		if !errors.Is(err, store.ErrMissing) || !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &missing) {
			t.Errorf("%v", err)
		}
	}
	if !bytes.Contains([]byte(blobErr.Error()), []byte(d.String())) {
		t.Errorf("%v does not name %s", blobErr, d)
	}
}

func TestAbortLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	in, err := s.NewIngest(t.Context())
	check(t, err)
	d, _, err := in.PutBytes(t.Context(), []byte("body"))
	check(t, err)
	_, _, err = in.PutBytes(t.Context(), []byte("body"))
	check(t, err)
	check(t, in.Abort())
	if left := files(t, filepath.Join(dir, "ingest")); len(left) != 0 {
		t.Fatalf("left: %v", left)
	}
	if m, err := s.Missing(t.Context(), []digest.Digest{d}); len(m) != 1 || err != nil {
		t.Fatalf("the blob is there: %v", err)
	}
	if _, _, err := in.PutBytes(t.Context(), []byte("more")); err == nil {
		t.Fatal("an aborted ingest takes more")
	}
}

func TestCommitNamesOnlyWhatIsThere(t *testing.T) {
	s := open(t, t.TempDir())
	ctx := t.Context()
	gone := digest.Of([]byte("gone"))
	n := makeNode("over a gap", nil, []digest.Digest{gone})
	in, err := s.NewIngest(ctx)
	check(t, err)
	check(t, in.Nodes(n))
	if err := in.Commit(ctx, store.Changes{}); !errors.Is(err, store.ErrIncomplete) {
		t.Fatalf("node over a missing blob: %v", err)
	}
	in, err = s.NewIngest(ctx)
	check(t, err)
	check(t, in.Nodes(store.Node{Digest: gone, Data: n.Data}))
	if err := in.Commit(ctx, store.Changes{}); !errors.Is(err, digest.ErrMismatch) {
		t.Fatalf("node under a wrong digest: %v", err)
	}
	// A failed commit must not make the next one believe in its node.
	for _, r := range []store.Record{{Trees: []digest.Digest{gone}}, {Blobs: []digest.Digest{gone}}, {Trees: []digest.Digest{n.Digest}}} {
		if err := s.SetRef(ctx, "r", r); !errors.Is(err, store.ErrIncomplete) {
			t.Fatalf("ref to nothing: %v", err)
		}
	}
	if _, err := s.Ref(ctx, "r"); !errors.Is(err, store.ErrMissing) {
		t.Fatal(err)
	}
}

func TestABlobThatLostItsBytesIsWrittenAgain(t *testing.T) {
	for _, size := range []int64{0, 2} {
		s := open(t, t.TempDir())
		_, blobs := ingest(t, s, "r", "body")
		p := filepath.Join(s.BlobsDir(), s.BlobPath(blobs[0]))
		check(t, os.Chmod(p, 0o600))
		check(t, os.Truncate(p, size))
		ingest(t, s, "r", "body")
		if got := contents(t, s, blobs[0]); got != "body" {
			t.Fatalf("%q", got)
		}
		fsckClean(t, s)
	}
}

func TestRefsAreListedReplacedAndDeleted(t *testing.T) {
	s := open(t, t.TempDir())
	a, _ := ingest(t, s, "b", "1")
	ingest(t, s, "a", "2")
	check(t, s.SetRef(t.Context(), "a", store.Record{Trees: []digest.Digest{a}}))
	refs, err := s.Refs(t.Context())
	if err != nil || len(refs) != 2 || refs[0].Name != "a" || refs[0].Trees[0] != a {
		t.Fatalf("%v %v", refs, err)
	}
	check(t, s.DeleteRef(t.Context(), "a"))
	if refs, _ := s.Refs(t.Context()); len(refs) != 1 {
		t.Fatalf("%v", refs)
	}
}

func TestConcurrentWritersOfOneIngest(t *testing.T) {
	s := open(t, t.TempDir())
	in, err := s.NewIngest(t.Context())
	check(t, err)
	errs := make(chan error)
	for range 4 {
		go func() {
			for i := range 200 {
				if _, _, err := in.PutBytes(t.Context(), fmt.Appendf(nil, "body %d", i)); err != nil {
					errs <- err
					return
				}
			}
			errs <- nil
		}()
	}
	for range 4 {
		check(t, <-errs)
	}
	check(t, in.Commit(t.Context(), store.Changes{}))
	if n := len(files(t, s.BlobsDir())); n != 200 {
		t.Fatalf("%d blobs", n)
	}
	fsckClean(t, s)
}

func ExampleOpen() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "store")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	s, err := store.Open(ctx, dir, store.Options{References: references})
	if err != nil {
		panic(err)
	}
	defer s.Close(ctx)

	in, err := s.NewIngest(ctx)
	if err != nil {
		panic(err)
	}
	defer in.Abort()
	d, size, err := in.PutBytes(ctx, []byte("hello\n"))
	if err != nil {
		panic(err)
	}
	tree := makeNode("a tree", nil, []digest.Digest{d})
	if err := in.Nodes(tree); err != nil {
		panic(err)
	}
	refs := map[string]store.Record{"greeting": {Trees: []digest.Digest{tree.Digest}}}
	if err := in.Commit(ctx, store.Changes{Refs: refs}); err != nil {
		panic(err)
	}
	fmt.Println(d, size)
	fmt.Println(s.BlobPath(d))
	// Output:
	// sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03 6
	// /58/91b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03
}
