package capture_test

import (
	"context"
	"fmt"
	"os"
	"sync"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/capture"
)

// memory is a sink that keeps bodies in memory.
type memory struct {
	mu     sync.Mutex
	bodies map[digest.Digest][]byte
}

func newMemory() *memory { return &memory{bodies: map[digest.Digest][]byte{}} }

func (m *memory) Missing(_ context.Context, ds []digest.Digest) (out []digest.Digest, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, d := range ds {
		if _, ok := m.bodies[d]; !ok {
			out = append(out, d)
		}
	}
	return out, nil
}

func (m *memory) PutBytes(_ context.Context, b []byte) (digest.Digest, int64, error) {
	d := digest.Of(b)
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.bodies[d]; !ok {
		m.bodies[d] = append([]byte{}, b...)
	}
	return d, int64(len(b)), nil
}

func (m *memory) Create() capture.Writer { return &memoryWriter{m: m} }

func (m *memory) Adopt(ctx context.Context, path string, d digest.Digest, size int64) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if got, n, _ := m.PutBytes(ctx, b); got != d || n != size {
		return fmt.Errorf("%s is %s of %d bytes, adopted as %s of %d", path, got, n, d, size)
	}
	return os.Remove(path)
}

type memoryWriter struct {
	m *memory
	b []byte
}

func (w *memoryWriter) Write(b []byte) (int, error) {
	w.b = append(w.b, b...)
	return len(b), nil
}

func (w *memoryWriter) Finish(ctx context.Context) (digest.Digest, int64, error) {
	return w.m.PutBytes(ctx, w.b)
}

func (w *memoryWriter) Discard() error { return nil }

// hasher is a sink that only computes digests.
type hasher struct{}

func (hasher) Missing(context.Context, []digest.Digest) ([]digest.Digest, error) { return nil, nil }

func (hasher) PutBytes(_ context.Context, b []byte) (digest.Digest, int64, error) {
	return digest.Of(b), int64(len(b)), nil
}

func (hasher) Create() capture.Writer { return &hashWriter{digest.NewHasher()} }

type hashWriter struct{ h *digest.Hasher }

func (w *hashWriter) Write(b []byte) (int, error) { return w.h.Write(b) }
func (w *hashWriter) Discard() error              { return nil }
func (w *hashWriter) Finish(context.Context) (digest.Digest, int64, error) {
	return w.h.Digest(), w.h.Size(), nil
}
