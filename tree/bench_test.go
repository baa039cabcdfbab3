package tree_test

import (
	"context"
	"fmt"
	"runtime"
	"testing"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/tree"
)

func benchFile(i int) tree.File {
	return tree.File{
		Attributes: tree.Attr{Mode: 0o644, ModTime: tree.Time{Sec: 1_700_000_000, Nsec: uint32(i % 1000)}},
		Size:       int64(i + 1),
		Content:    digest.Of([]byte{byte(i), byte(i >> 8), byte(i >> 16)}),
	}
}

func benchTree(b *testing.B, dirs, files int) tree.Tree {
	b.Helper()
	d := tree.NewDraft(tree.Empty())
	for i := range dirs {
		sub := d.MakeDir(fmt.Sprintf("dir%05d", i), tree.Attr{Mode: 0o755})
		for k := range files {
			sub.Put(fmt.Sprintf("some-name-%06d", k), benchFile(i*files+k))
		}
	}
	t, err := d.Tree(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	return t
}

// One changed name in a directory of 100,000, and the digest of the tree.
func BenchmarkDigestAfterOneChange(b *testing.B) {
	ctx := context.Background()
	t := benchTree(b, 1, 100_000)
	t.Digest()
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		i++
		d := tree.NewDraft(t)
		sub, _, _ := d.Dir(ctx, "dir00000")
		sub.Put(fmt.Sprintf("some-name-%06d", i*7919%100_000), benchFile(i))
		next, err := d.Tree(ctx)
		if err != nil {
			b.Fatal(err)
		}
		next.Digest()
	}
}

// The digest of a tree of 100,000 entries that has none yet.
func BenchmarkDigestOfAll(b *testing.B) {
	for b.Loop() {
		b.StopTimer()
		t := benchTree(b, 1000, 100)
		b.StartTimer()
		t.Digest()
	}
}

// Saving a tree of a million entries, loading all of it again, and what that
// holds in memory.
func BenchmarkMillionEntries(b *testing.B) {
	if testing.Short() {
		b.Skip("a tree of a million entries in short mode")
	}
	ctx := context.Background()
	heap := func() float64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return float64(m.HeapAlloc) / (1 << 20)
	}
	before := heap()
	t := benchTree(b, 10_000, 100)
	built := heap() - before
	mem := tree.NewMemory()
	dig, err := mem.Save(ctx, t)
	if err != nil {
		b.Fatal(err)
	}
	t = tree.Tree{}
	nodes := heap()
	b.ResetTimer()
	var last tree.Tree
	for b.Loop() {
		if last, err = tree.Load(ctx, mem, dig); err != nil {
			b.Fatal(err)
		}
		n := 0
		for _, err := range tree.Walk(ctx, last, tree.WalkOptions{}) {
			if err != nil {
				b.Fatal(err)
			}
			n++
		}
		if n != 1_010_001 {
			b.Fatal(n)
		}
	}
	b.StopTimer()
	b.ReportMetric(built, "MiB-built")
	b.ReportMetric(heap()-nodes, "MiB-loaded")
	b.ReportMetric(float64(mem.Len()), "nodes")
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(float64(m.HeapSys)/(1<<20), "MiB-peak-heap")
	runtime.KeepAlive(last)
	runtime.KeepAlive(mem)
}

// Putting every node of a tree of 100,000 entries into an empty store.
func BenchmarkSave(b *testing.B) {
	ctx := context.Background()
	t := benchTree(b, 1000, 100)
	t.Digest()
	for b.Loop() {
		if _, err := tree.Save(ctx, t, tree.NewMemory(), func(digest.Digest, []byte) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkResolve(b *testing.B) {
	ctx := context.Background()
	t := benchTree(b, 1000, 100)
	for b.Loop() {
		if r, err := tree.Resolve(ctx, t, "/dir00500/some-name-000050", tree.FollowAll); err != nil || r.Entry == nil {
			b.Fatal(err)
		}
	}
}
