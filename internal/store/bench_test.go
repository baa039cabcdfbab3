package store_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/store"
)

func BenchmarkOpenClose(b *testing.B) {
	dir := b.TempDir()
	check(b, open(b, dir).Close(b.Context()))
	for b.Loop() {
		s, err := store.Open(b.Context(), dir, options())
		check(b, err)
		check(b, s.Close(b.Context()))
	}
}

func BenchmarkOpenTenResultsAndClose(b *testing.B) {
	dir := b.TempDir()
	s := open(b, dir)
	tree, _ := ingest(b, s, "r", "body")
	var keys []digest.Digest
	ch := store.Changes{Results: map[digest.Digest]store.Record{}}
	for i := range 10 {
		keys = append(keys, digest.Of([]byte{byte(i)}))
		ch.Results[keys[i]] = store.Record{Trees: []digest.Digest{tree}}
	}
	check(b, s.Commit(b.Context(), ch))
	check(b, s.Close(b.Context()))
	for b.Loop() {
		s, err := store.Open(b.Context(), dir, options())
		check(b, err)
		for _, k := range keys {
			if _, ok, err := s.Result(b.Context(), k); !ok || err != nil {
				b.Fatal(ok, err)
			}
		}
		check(b, s.Close(b.Context()))
	}
}

func BenchmarkNode(b *testing.B) {
	s := open(b, b.TempDir())
	in, err := s.NewIngest(b.Context())
	check(b, err)
	var ds []digest.Digest
	for i := range 10_000 {
		n := makeNode(fmt.Sprint(i, string(bytes.Repeat([]byte("x"), 400))), nil, nil)
		ds = append(ds, n.Digest)
		check(b, in.Nodes(n))
	}
	check(b, in.Commit(b.Context(), store.Changes{}))
	b.Run("one", func(b *testing.B) {
		for b.Loop() {
			_, err := s.Node(b.Context(), ds[rand.IntN(len(ds))])
			check(b, err)
		}
	})
	b.Run("batch of 100", func(b *testing.B) {
		for b.Loop() {
			at := rand.IntN(len(ds) - 100)
			_, err := s.Nodes(b.Context(), ds[at:at+100])
			check(b, err)
		}
	})
}

func BenchmarkIngest(b *testing.B) {
	for _, n := range []int{10, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			s := open(b, b.TempDir())
			body := make([]byte, 2500)
			count := uint64(0)
			for b.Loop() {
				in, err := s.NewIngest(b.Context())
				check(b, err)
				var blobs []digest.Digest
				for i := range n {
					count++
					binary.LittleEndian.PutUint64(body, count)
					d, _, err := in.Put(b.Context(), bytes.NewReader(body[:1000+i%1500]))
					check(b, err)
					blobs = append(blobs, d)
				}
				tree := makeNode("t", nil, blobs)
				check(b, in.Nodes(tree))
				key := tree.Digest
				check(b, in.Commit(b.Context(), store.Changes{Results: map[digest.Digest]store.Record{key: {Trees: []digest.Digest{tree.Digest}}}}))
			}
		})
	}
}

func BenchmarkIngestKnown(b *testing.B) {
	s := open(b, b.TempDir())
	body := make([]byte, 2500)
	once := func() {
		in, err := s.NewIngest(b.Context())
		check(b, err)
		for i := range 1000 {
			binary.LittleEndian.PutUint64(body, uint64(i))
			_, _, err := in.Put(b.Context(), bytes.NewReader(body))
			check(b, err)
		}
		check(b, in.Commit(b.Context(), store.Changes{}))
	}
	once()
	for b.Loop() {
		once()
	}
}

func BenchmarkCommitResult(b *testing.B) {
	s := open(b, b.TempDir())
	tree, _ := ingest(b, s, "r", "body")
	i := uint64(0)
	for b.Loop() {
		i++
		key := digest.Of(binary.LittleEndian.AppendUint64(nil, i))
		check(b, s.Commit(b.Context(), store.Changes{Results: map[digest.Digest]store.Record{key: {Trees: []digest.Digest{tree}}}}))
	}
}

func BenchmarkResult(b *testing.B) {
	s := open(b, b.TempDir())
	tree, _ := ingest(b, s, "r", "body")
	key := digest.Of(nil)
	check(b, s.Commit(b.Context(), store.Changes{Results: map[digest.Digest]store.Record{key: {Trees: []digest.Digest{tree}}}}))
	for b.Loop() {
		_, ok, err := s.Result(b.Context(), key)
		if !ok || err != nil {
			b.Fatal(ok, err)
		}
	}
}

func BenchmarkPutStep(b *testing.B) {
	s := open(b, b.TempDir())
	run, err := s.NewRun(nil)
	check(b, err)
	i := 0
	for b.Loop() {
		i++
		check(b, run.PutStep(b.Context(), store.Step{Index: i, Name: "x", State: "done"}))
	}
	check(b, run.End(context.Background(), "done", nil))
}

func BenchmarkGC(b *testing.B) {
	s := open(b, b.TempDir())
	for t := range 100 {
		var bodies []string
		for i := range 100 {
			bodies = append(bodies, fmt.Sprint(t, i))
		}
		ingest(b, s, fmt.Sprint(t), bodies...)
	}
	for b.Loop() {
		_, err := s.GC(b.Context(), store.GCOptions{})
		check(b, err)
	}
}
