package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/digest"
)

// plainNodes is a node format of this test: the digests of blobs, one behind the
// other, behind a byte that makes the difference.
func plainNodes(b []byte) (nodes, blobs []digest.Digest, err error) {
	if len(b) == 0 {
		return nil, nil, errors.New("empty")
	}
	blobs, err = unpackDigests(b[1:])
	if b[0] == 'd' {
		return blobs, nil, err
	}
	return nil, blobs, err
}

// What happens between the collector's look and its sweep is what it must catch
// up with.
func TestSweepKeepsWhatIsUsedAfterTheSurvey(t *testing.T) {
	ctx := t.Context()
	opts := Options{References: plainNodes, Wait: 5 * time.Second}
	body := []byte("body")
	leaf := append([]byte("f"), packDigests([]digest.Digest{digest.Of(body)})...)
	top := append([]byte("d"), packDigests([]digest.Digest{digest.Of(leaf)})...)
	above := append([]byte("d"), packDigests([]digest.Digest{digest.Of(top)})...)
	tree := digest.Of(top)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	fresh := func() *Store {
		s, err := Open(ctx, t.TempDir(), opts)
		must(err)
		in, err := s.NewIngest(ctx)
		must(err)
		_, _, err = in.PutBytes(ctx, body)
		must(err)
		must(in.Nodes(Node{digest.Of(leaf), leaf}, Node{tree, top}))
		must(in.Commit(ctx, Changes{}))
		must(s.Close(ctx))
		s, err = Open(ctx, s.Dir(), opts)
		must(err)
		t.Cleanup(func() { s.Close(context.Background()) })
		return s
	}
	for name, c := range map[string]struct {
		use         func(s *Store)
		nodes, blob bool // what is kept
	}{
		"nothing":       {func(*Store) {}, false, false},
		"shown tree":    {func(s *Store) { _, err := s.MissingNodes(ctx, []digest.Digest{tree}); must(err) }, true, true},
		"read tree":     {func(s *Store) { _, err := s.Node(ctx, tree); must(err) }, true, true},
		"shown blob":    {func(s *Store) { _, err := s.Missing(ctx, []digest.Digest{digest.Of(body)}); must(err) }, false, true},
		"opened blob":   {func(s *Store) { b, err := s.OpenBlob(ctx, digest.Of(body)); must(err); b.Close() }, false, true},
		"ref, then end": {func(s *Store) { must(s.SetRef(ctx, "r", Record{Trees: []digest.Digest{tree}})); must(s.Close(ctx)) }, true, true},
		"step, then end": {func(s *Store) {
			run, err := s.NewRun(nil)
			must(err)
			must(run.PutStep(ctx, Step{After: tree}))
			must(run.End(ctx, "done", nil))
			must(s.Close(ctx))
		}, true, true},
		"new tree above, then end": {func(s *Store) {
			in, err := s.NewIngest(ctx)
			must(err)
			must(in.Nodes(Node{digest.Of(above), above}))
			must(in.Commit(ctx, Changes{Results: map[digest.Digest]Record{tree: {Trees: []digest.Digest{digest.Of(above)}}}}))
			must(s.Close(ctx))
		}, true, true},
		"step with a node of its own above, then end": {func(s *Store) {
			run, err := s.NewRun(nil)
			must(err)
			must(s.Commit(ctx, Changes{Loose: true, Run: &RunChanges{Run: run, Nodes: []Node{{digest.Of(above), above}}, Steps: []Step{{After: digest.Of(above)}}}}))
			must(run.End(ctx, "done", nil))
			must(s.Close(ctx))
		}, true, true},
		"body written again, not committed": {func(s *Store) {
			in, err := s.NewIngest(ctx)
			must(err)
			_, _, err = in.PutBytes(ctx, body)
			must(err)
			t.Cleanup(func() { in.Abort() })
		}, false, true},
		"shown, then end": {func(s *Store) {
			_, err := s.MissingNodes(ctx, []digest.Digest{tree})
			must(err)
			must(s.Close(ctx))
		}, false, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := fresh()
			other, err := Open(ctx, s.Dir(), opts)
			must(err)
			defer other.close()
			var g *graph
			must(s.view(ctx, func(c *conn) error {
				if g, err = s.loadGraph(c, false); err == nil {
					_, err = g.survey(c, 0)
				}
				return err
			}))
			c.use(other)
			var r GCReport
			must(s.sweepNodes(ctx, g, &r))
			must(s.sweepBlobs(ctx, g, &r))
			if (r.Nodes == 0) != c.nodes || (r.Blobs == 0) != c.blob {
				t.Fatalf("%+v", r)
			}
			f, err := s.Fsck(ctx)
			if err != nil || len(f.Problems) > 0 {
				t.Fatal(f.Problems, err)
			}
		})
	}
}

func TestDeadParentsGoBeforeTheirChildren(t *testing.T) {
	g := &graph{}
	// 0 -> 1 -> 2, 3 -> 1, 4 live -> 2
	g.nodes = []graphNode{
		{seq: 1, nodes: []int32{1}}, {seq: 2, nodes: []int32{2}}, {seq: 3, live: true},
		{seq: 4, nodes: []int32{1}}, {seq: 5, live: true, nodes: []int32{2}}, {seq: 0},
	}
	got := g.deadNodes()
	if len(got) != 3 || got[2] != 1 {
		t.Fatal(got)
	}
}

// A process that died between renaming and flushing left blobs that others see:
// who relies on them flushes, and so does who clears up.
func TestAMarkOfUnflushedBlobsIsSeen(t *testing.T) {
	ctx := t.Context()
	s, err := Open(ctx, t.TempDir(), Options{References: plainNodes})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close(context.Background())
	dir, path, err := makeOwned(func() string { return s.path("ingest", "x") }, newDir)
	if err != nil {
		t.Fatal(err)
	}
	f, err := lockFile(ctx, path+"/"+renaming, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	if ok, err := s.unflushed("own"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if n, err := s.reclaim(ctx); n != 0 || err != nil {
		t.Fatal("the ingest of a live process was removed", n, err)
	}
	dir.Close()
	if n, err := s.reclaim(ctx); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	if ok, err := s.unflushed("own"); ok || err != nil {
		t.Fatal(ok, err)
	}
}
