package tree

import (
	"context"
	"fmt"
	"sync"

	"github.com/inlaybuild/inlay/digest"
)

// Memory is a [Source] that keeps nodes in memory. It is for several goroutines.
type Memory struct {
	mu    sync.RWMutex
	nodes map[digest.Digest][]byte
}

// NewMemory gives a Memory without nodes.
func NewMemory() *Memory {
	return &Memory{nodes: map[digest.Digest][]byte{}}
}

// Node gives a node that was saved; otherwise [ErrMissingNode].
func (m *Memory) Node(_ context.Context, d digest.Digest) ([]byte, error) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	b, ok := m.nodes[d]
	if !ok {
		return nil, fmt.Errorf("%w: %s", ErrMissingNode, d)
	}
	return b, nil
}

// Len gives the number of nodes.
func (m *Memory) Len() int {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return len(m.nodes)
}

// Save keeps all nodes of t and gives its digest, for [Load].
func (m *Memory) Save(ctx context.Context, t Tree) (digest.Digest, error) {
	s, err := Save(ctx, t, m, func(d digest.Digest, node []byte) error {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.nodes[d] = node
		return nil
	})
	if err != nil {
		return digest.Digest{}, err
	}
	s.Done()
	return s.Digest, nil
}
