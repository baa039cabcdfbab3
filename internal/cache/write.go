package cache

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"slices"
	"sync"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/image"
)

// Content is what is written to a cache.
type Content struct {
	// Results gives the results. What has knows is in the cache, and with a node all
	// that it refers to: nothing is asked for that.
	Results func(has func(Kind, digest.Digest) bool) ([]Result, error)
	// Objects gives the objects that the results need and that are not in the
	// cache yet. Those that has knows may be left out, and with a node all that it
	// refers to. Parents come before their children. An object may come twice.
	Objects func(has func(Kind, digest.Digest) bool) iter.Seq2[Object, error]
	// Open opens an object.
	Open func(ctx context.Context, o Object) (io.ReadCloser, error)
}

// Options are what a [Write] may be told.
type Options struct {
	// TempDir is a directory for packs on their way; "" is the system's. Nothing
	// stays there, however the process ends.
	TempDir string
	// Progress is told of bytes that were sent; it is called by several goroutines.
	Progress func(n int64)

	partPacks, mostPacks int // 0 are the constants
}

// Written is what a [Write] did.
type Written struct {
	Cache   image.Descriptor
	Results int   // in the cache
	Objects int   // that it did not have
	Packs   int   // that it has
	Sent    int64 // bytes that the place did not have
}

// Place is where a cache is written.
type Place interface {
	Source
	image.Sink
}

// Write writes results, and the objects behind them, to the cache that name stands
// for. What the cache has stays in it, until it would become too large: then only
// what is written now does. Who reads meanwhile reads the old one or the new one.
// When two write at a time, nothing breaks, but what one of them wrote may be
// forgotten. A cache that is damaged is written anew.
func Write(ctx context.Context, dst Place, name string, c Content, o Options) (Written, error) {
	const attempts = 3
	for try := 1; ; try++ {
		old, err := openOld(ctx, dst, name)
		if err != nil {
			return Written{}, err
		}
		w := &writer{dst: dst, opt: o, content: c, sum: newContents(nil), results: map[digest.Digest]Result{}}
		if err := w.adopt(ctx, old); err != nil {
			return Written{}, err
		}
		if err := w.add(); err != nil {
			return Written{}, err
		}
		if err := w.objects(ctx); err != nil {
			return Written{}, err
		}
		d, err := w.manifests(ctx)
		if err != nil {
			return Written{}, err
		}
		// Somebody else may have written meanwhile: then theirs is added to.
		if try < attempts {
			now, err := dst.Resolve(ctx, name)
			if changed := err == nil && (old == nil || now.Digest != old.desc.Digest); changed && now.Digest != d.Digest {
				continue
			}
		}
		if err := dst.Tag(ctx, d, name); err != nil {
			return Written{}, err
		}
		return Written{Cache: d, Results: len(w.results), Objects: w.added, Packs: len(w.sum.packs), Sent: w.sent}, nil
	}
}

// openOld opens the cache that is there; nil when there is none that can be used.
// What is something else is not overwritten.
func openOld(ctx context.Context, dst Place, name string) (*Cache, error) {
	c, err := Open(ctx, dst, name)
	switch {
	case err == nil:
		_, err = c.contents(ctx)
	case errors.Is(err, image.ErrMediaType):
		return nil, fmt.Errorf("there is something else that is not a cache of Inlay: take another name: %w", err)
	}
	if err == nil {
		return c, nil
	}
	for _, none := range []error{fs.ErrNotExist, image.ErrUnknownRef, ErrDamaged, digest.ErrMismatch, image.ErrInvalid, image.ErrTooLarge} {
		if errors.Is(err, none) && ctx.Err() == nil {
			return nil, nil
		}
	}
	return nil, err
}

// writer is one writing.
type writer struct {
	dst     Place
	opt     Options
	content Content

	results map[digest.Digest]Result
	sum     *contents // all that there will be
	added   int

	mu   sync.Mutex
	sent int64
}

// adopt takes over what the cache has.
func (w *writer) adopt(ctx context.Context, old *Cache) error {
	if old == nil || len(old.loaded.packs) > cmp.Or(w.opt.mostPacks, mostPacks) || len(old.results) > maxResults/2 {
		return nil
	}
	ds := make([]image.Descriptor, len(old.loaded.packs))
	for i := range ds {
		ds[i] = old.loaded.packs[i].descriptor()
	}
	missing, err := w.dst.Missing(ctx, ds)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return nil // somebody removed packs: it is worth nothing
	}
	for _, r := range old.results {
		w.results[r.Key] = r
	}
	w.sum = newContents(slices.Clone(old.loaded.packs))
	return nil
}

// add adds what is new.
func (w *writer) add() error {
	results, err := w.content.Results(w.has)
	if err != nil {
		return err
	}
	if len(results) > maxResults/2 {
		return fmt.Errorf("%d results at a time are too many for a cache: at most %d", len(results), maxResults/2)
	}
	for _, r := range results {
		w.results[r.Key] = r
	}
	return nil
}

func (w *writer) has(k Kind, d digest.Digest) bool {
	_, ok := w.sum.at[kindIndex(k)][d]
	return ok
}

// made is a pack that is to be sent.
type made struct {
	pack pack
	file *os.File
}

// senders is how many packs are sent at a time.
const senders = 3

// objects packs what is new, and sends it.
func (w *writer) objects(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ready := make(chan made)
	var wg sync.WaitGroup
	for range senders {
		wg.Go(func() {
			for m := range ready {
				if err := errors.Join(w.sendPack(ctx, m), m.file.Close()); err != nil {
					cancel(err)
				}
			}
		})
	}
	// Bodies after all nodes: then who looks at directories does not meet them.
	err := w.fill(ctx, ready)
	close(ready)
	wg.Wait()
	if err != nil && ctx.Err() == nil {
		return err
	}
	return context.Cause(ctx)
}

// fill makes packs.
func (w *writer) fill(ctx context.Context, ready chan<- made) error {
	var bodies []Object
	taken := map[Object]bool{}
	p := &filling{writer: w, ready: ready}
	defer p.drop()
	for o, err := range w.content.Objects(w.has) {
		if err != nil {
			return err
		}
		if w.has(o.Kind, o.Digest) || taken[o] {
			continue
		}
		taken[o] = true
		if o.Kind == Body {
			bodies = append(bodies, o)
			continue
		}
		if err := p.add(ctx, o); err != nil {
			return err
		}
	}
	if err := p.end(ctx); err != nil { // nodes and bodies do not share packs
		return err
	}
	for _, o := range bodies {
		if err := p.add(ctx, o); err != nil {
			return err
		}
	}
	return p.end(ctx)
}

// filling is a pack that is being filled.
type filling struct {
	*writer
	ready chan<- made
	file  *os.File
	p     *packer
}

func (f *filling) add(ctx context.Context, o Object) error {
	if f.p != nil && !f.p.fits(o) {
		if err := f.end(ctx); err != nil {
			return err
		}
	}
	if f.p == nil {
		if err := f.begin(); err != nil {
			return err
		}
	}
	rc, err := f.content.Open(ctx, o)
	if err != nil {
		return err
	}
	end, err := f.p.add(o, rc)
	if err := errors.Join(err, rc.Close()); err != nil {
		return fmt.Errorf("pack %s: %w", o.Digest, err)
	}
	f.added++
	if end {
		return f.end(ctx)
	}
	return ctx.Err()
}

func (f *filling) begin() (err error) {
	if f.file, err = tempFile(f.opt.TempDir); err == nil {
		f.p, err = newPacker(f.file)
	}
	return err
}

// removedFile makes a file whose name is removed at once.
func removedFile(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, ".pack-")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// end gives the pack to be sent.
func (f *filling) end(ctx context.Context) error {
	if f.p == nil {
		return nil
	}
	p, err := f.p.finish()
	if err != nil {
		return err
	}
	m := made{p, f.file}
	f.p, f.file = nil, nil
	f.sum.packs = append(f.sum.packs, p)
	f.sum.note(len(f.sum.packs) - 1)
	select {
	case f.ready <- m:
		return nil
	case <-ctx.Done():
		return errors.Join(context.Cause(ctx), m.file.Close())
	}
}

func (f *filling) drop() {
	if f.file != nil {
		f.file.Close()
	}
}

func (w *writer) sendPack(ctx context.Context, m made) error {
	if ctx.Err() != nil {
		return nil
	}
	return w.send(ctx, m.pack.descriptor(), func() io.Reader { return io.NewSectionReader(m.file, 0, m.pack.size) })
}

func (w *writer) send(ctx context.Context, d image.Descriptor, open func() io.Reader) error {
	missing, err := w.dst.Missing(ctx, []image.Descriptor{d})
	if err != nil || len(missing) == 0 {
		return err
	}
	return w.dst.Push(ctx, d, func(context.Context) (io.ReadCloser, error) {
		return image.Count(io.NopCloser(open()), func(n int64) {
			w.mu.Lock()
			w.sent += n
			w.mu.Unlock()
			if w.opt.Progress != nil {
				w.opt.Progress(n)
			}
		}), nil
	})
}

func (w *writer) sendBytes(ctx context.Context, mediaType string, b []byte) (image.Descriptor, error) {
	d := image.Describe(mediaType, b)
	return d, w.send(ctx, d, func() io.Reader { return bytes.NewReader(b) })
}

// manifests sends the results, the index and what names all. The tag is not set yet.
func (w *writer) manifests(ctx context.Context) (image.Descriptor, error) {
	var results []Result
	for _, r := range w.results {
		results = append(results, r)
	}
	body, err := encodeResults(results)
	if err != nil {
		return image.Descriptor{}, err
	}
	config, err := w.sendBytes(ctx, MediaTypeResults, body)
	if err != nil {
		return image.Descriptor{}, err
	}
	index, err := w.sendBytes(ctx, MediaTypeIndex, encodeIndex(w.sum.packs))
	if err != nil {
		return image.Descriptor{}, err
	}
	layers := []image.Descriptor{index}
	for i := range w.sum.packs {
		layers = append(layers, w.sum.packs[i].descriptor())
	}
	var parts []image.Descriptor
	for part := range slices.Chunk(layers, cmp.Or(w.opt.partPacks, partPacks)) {
		if len(parts) == 1 {
			if config, err = w.sendBytes(ctx, mediaTypeEmpty, []byte("{}")); err != nil {
				return image.Descriptor{}, err
			}
		}
		d, err := w.manifest(ctx, config, part)
		if err != nil {
			return image.Descriptor{}, err
		}
		parts = append(parts, d)
	}
	if len(parts) == 1 {
		return parts[0], nil
	}
	x := image.Index{MediaType: image.MediaTypeIndex, ArtifactType: ArtifactType, Manifests: parts}
	if body, err = x.Bytes(); err != nil {
		return image.Descriptor{}, err
	}
	return w.sendBytes(ctx, image.MediaTypeIndex, body)
}

func (w *writer) manifest(ctx context.Context, config image.Descriptor, layers []image.Descriptor) (image.Descriptor, error) {
	m := image.Manifest{MediaType: image.MediaTypeManifest, ArtifactType: ArtifactType, Config: config, Layers: layers}
	body, err := m.Bytes()
	if err != nil {
		return image.Descriptor{}, err
	}
	return w.sendBytes(ctx, image.MediaTypeManifest, body)
}
