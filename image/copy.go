package image

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/inlaybuild/inlay/digest"
)

// CopyOptions are what [Copy] may be told.
type CopyOptions struct {
	// Concurrency is how many blobs are moved at a time; 0 stands for 3, as
	// in Docker.
	Concurrency int
	// Progress is told of every n bytes of d that were moved, and with a
	// negative n of those that must be moved again because an attempt failed.
	// It is called from several goroutines.
	Progress func(d Descriptor, n int64)
}

// Copy copies what d names, a manifest or an index with all that it names, from
// src to dst, and names it; only blobs that dst misses are read from src. What
// names a blob is pushed after it. Attestations go with the index they are in.
func Copy(ctx context.Context, dst Sink, src Opener, d Descriptor, name string, opt CopyOptions) error {
	g, err := Walk(ctx, src, d)
	if err != nil {
		return err
	}
	missing, err := dst.Missing(ctx, g.Blobs)
	if err != nil {
		return err
	}
	if err := pushAll(ctx, dst, src, missing, opt); err != nil {
		return err
	}
	for _, m := range g.Manifests {
		body := g.Bodies[m.Digest]
		if err := dst.Push(ctx, m, Stage(nil, map[digest.Digest][]byte{m.Digest: body}).opener(m)); err != nil {
			return err
		}
	}
	return dst.Tag(ctx, d, name)
}

func (s Staged) opener(d Descriptor) func(context.Context) (io.ReadCloser, error) {
	return func(ctx context.Context) (io.ReadCloser, error) { return s.Open(ctx, d) }
}

func pushAll(ctx context.Context, dst Pusher, src Opener, ds []Descriptor, opt CopyOptions) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	n := opt.Concurrency
	if n <= 0 {
		n = 3
	}
	slots := make(chan struct{}, n)
	var wg sync.WaitGroup
	for _, d := range ds {
		select {
		case slots <- struct{}{}:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := dst.Push(ctx, d, counted(src, d, opt.Progress)); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// counted opens d from src, and tells progress what is read.
func counted(src Opener, d Descriptor, progress func(Descriptor, int64)) func(context.Context) (io.ReadCloser, error) {
	var before int64
	return func(ctx context.Context) (io.ReadCloser, error) {
		rc, err := src.Open(ctx, d)
		if err != nil || progress == nil {
			return rc, err
		}
		if before > 0 {
			progress(d, -before)
			before = 0
		}
		return Count(rc, func(n int64) {
			before += n
			progress(d, n)
		}), nil
	}
}

// Count gives rc so that count is told how many bytes each Read gave.
func Count(rc io.ReadCloser, count func(n int64)) io.ReadCloser {
	return &counter{rc, count}
}

type counter struct {
	io.ReadCloser
	count func(int64)
}

func (c *counter) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	if n > 0 {
		c.count(int64(n))
	}
	return n, err
}

// Graph is all that a manifest or an index names.
type Graph struct {
	// Blobs are the configs and layers, each once, in the order of the
	// manifests; foreign layers are left out.
	Blobs []Descriptor
	// Manifests are the manifests and indexes, each after what it names; the
	// last is the one that was asked for.
	Manifests []Descriptor
	// Bodies are the bytes of the manifests and indexes.
	Bodies map[digest.Digest][]byte
}

// Walk reads the manifests and indexes that d names, and d itself, and lists
// what they name. No config or layer is read. At most 1,000 manifests are.
func Walk(ctx context.Context, src Opener, d Descriptor) (Graph, error) {
	w := walker{src: src, g: Graph{Bodies: map[digest.Digest][]byte{}}, seen: map[digest.Digest]bool{}}
	err := w.walk(ctx, d, maxDepth)
	return w.g, err
}

type walker struct {
	src  Opener
	g    Graph
	seen map[digest.Digest]bool
}

func (w *walker) walk(ctx context.Context, d Descriptor, depth int) error {
	if w.seen[d.Digest] {
		return nil
	}
	w.seen[d.Digest] = true
	if !d.IsManifest() && !d.IsIndex() {
		return &MediaTypeError{Got: d.MediaType, Want: "an image manifest or index"}
	}
	if len(w.g.Bodies) == maxNodes {
		return errTooMany
	}
	body, err := ReadAll(ctx, w.src, d, MaxManifestSize)
	if err != nil {
		return err
	}
	w.g.Bodies[d.Digest] = body
	if d.IsIndex() {
		err = w.index(ctx, d, body, depth)
	} else {
		err = w.manifest(d, body)
	}
	w.g.Manifests = append(w.g.Manifests, d)
	return err
}

func (w *walker) index(ctx context.Context, d Descriptor, body []byte, depth int) error {
	if depth == 0 {
		return fmt.Errorf("%w: more than %d indexes inside each other", ErrInvalid, maxDepth)
	}
	x, err := ParseIndex(d.MediaType, body)
	if err != nil {
		return fmt.Errorf("index %s: %w", d.Digest, err)
	}
	for _, e := range x.Manifests {
		if err := w.walk(ctx, e, depth-1); err != nil {
			return err
		}
	}
	return nil
}

func (w *walker) manifest(d Descriptor, body []byte) error {
	m, err := ParseManifest(d.MediaType, body)
	if err != nil {
		return fmt.Errorf("manifest %s: %w", d.Digest, err)
	}
	for _, b := range append(slices.Clone(m.Layers), m.Config) {
		if !w.seen[b.Digest] && !b.IsForeign() {
			w.seen[b.Digest] = true
			w.g.Blobs = append(w.g.Blobs, b)
		}
	}
	return nil
}
