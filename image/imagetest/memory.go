// Package imagetest has images to test with, and the laws that every place of
// images keeps.
package imagetest

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/image"
)

// Memory is a source and a sink in memory. The zero value is empty.
type Memory struct {
	mu     sync.Mutex
	blobs  map[digest.Digest][]byte
	index  image.Index
	pushed int
}

// Add puts a blob of the given media type in.
func (m *Memory) Add(mediaType string, b []byte) image.Descriptor {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.blobs == nil {
		m.blobs = map[digest.Digest][]byte{}
	}
	d := image.Describe(mediaType, b)
	m.blobs[d.Digest] = b
	return d
}

// Pushed tells how many blobs were pushed whose bytes were read.
func (m *Memory) Pushed() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.pushed
}

// Resolve implements image.Source.
func (m *Memory) Resolve(ctx context.Context, name string) (image.Descriptor, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return image.Named(m.index, name)
}

// Open implements image.Source.
func (m *Memory) Open(ctx context.Context, d image.Descriptor) (io.ReadCloser, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return image.Stage(nil, m.blobs).Open(ctx, d)
}

// Missing implements image.Sink.
func (m *Memory) Missing(ctx context.Context, ds []image.Descriptor) ([]image.Descriptor, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(ds), func(d image.Descriptor) bool {
		_, ok := m.blobs[d.Digest]
		return ok
	}), nil
}

// Push implements image.Sink.
func (m *Memory) Push(ctx context.Context, d image.Descriptor, open func(context.Context) (io.ReadCloser, error)) error {
	if missing, _ := m.Missing(ctx, []image.Descriptor{d}); len(missing) == 0 {
		return nil
	}
	rc, err := open(ctx)
	if err != nil {
		return err
	}
	defer rc.Close()
	b, err := io.ReadAll(image.Verified(rc, d))
	if err != nil {
		return err
	}
	m.Add(d.MediaType, b)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pushed++
	return nil
}

// Tag implements image.Sink.
func (m *Memory) Tag(ctx context.Context, d image.Descriptor, name string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.blobs[d.Digest]; !ok {
		return fmt.Errorf("tag %q: %w", name, image.NotFound(d.Digest))
	}
	m.index.Manifests = slices.DeleteFunc(m.index.Manifests, func(e image.Descriptor) bool {
		return e.Annotations[image.AnnotationRefName] == name
	})
	m.index.Manifests = append(m.index.Manifests, d.WithAnnotation(image.AnnotationRefName, name))
	return nil
}
