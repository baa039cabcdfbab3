package layer_test

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/layer"
)

// watching computes digests, and watches the heap meanwhile.
type watching struct {
	calls atomic.Int64
	peak  atomic.Uint64
}

func (w *watching) look() {
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	for p := w.peak.Load(); s.HeapInuse > p && !w.peak.CompareAndSwap(p, s.HeapInuse); p = w.peak.Load() {
	}
}

func (w *watching) Put(_ context.Context, r io.Reader) (digest.Digest, int64, error) {
	h := digest.NewHasher()
	for {
		w.look()
		_, err := io.CopyN(h, r, 16<<20)
		if err == io.EOF {
			return h.Digest(), h.Size(), nil
		} else if err != nil {
			return digest.Digest{}, 0, err
		}
	}
}

func (w *watching) PutBytes(_ context.Context, b []byte) (digest.Digest, int64, error) {
	if w.calls.Add(1)%1000 == 0 {
		w.look()
	}
	return digest.Of(b), int64(len(b)), nil
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// The memory that reading takes does not grow with the bodies.
func TestBodiesAreNotHeldInMemory(t *testing.T) {
	const size = 1 << 30
	var h bytes.Buffer
	w := tar.NewWriter(&h)
	if err := w.WriteHeader(&tar.Header{Name: "large", Typeflag: tar.TypeReg, Size: size}); err != nil {
		t.Fatal(err)
	}
	r := io.MultiReader(&h, io.LimitReader(zeros{}, size), bytes.NewReader(many(500, 100_000)))
	runtime.GC()
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	watch := &watching{}
	if _, stats, err := layer.Read(t.Context(), r, layer.ReadOptions{Blobs: watch}); err != nil || stats.Bytes != size+50_000_000 {
		t.Fatal(stats, err)
	}
	if used := int64(watch.peak.Load()) - int64(before.HeapInuse); used > 64<<20 {
		t.Errorf("reading took %d MiB of heap", used>>20)
	} else {
		t.Logf("%d MiB", used>>20)
	}
}
