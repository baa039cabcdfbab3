package layer_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"sync"

	"github.com/inlaybuild/inlay/digest"
)

// memory is a small real store of blobs.
type memory struct {
	mu    sync.Mutex
	blobs map[digest.Digest][]byte
}

func newMemory() *memory { return &memory{blobs: map[digest.Digest][]byte{}} }

func (m *memory) Put(ctx context.Context, r io.Reader) (digest.Digest, int64, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return digest.Digest{}, 0, err
	}
	return m.PutBytes(ctx, b)
}

func (m *memory) PutBytes(_ context.Context, b []byte) (digest.Digest, int64, error) {
	d := digest.Of(b)
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.blobs[d]; !ok {
		m.blobs[d] = bytes.Clone(b)
	}
	return d, int64(len(b)), nil
}

func (m *memory) Open(_ context.Context, d digest.Digest) (io.ReadCloser, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	b, ok := m.blobs[d]
	if !ok {
		return nil, fmt.Errorf("blob %s: %w", d, fs.ErrNotExist)
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}
