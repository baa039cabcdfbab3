package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"sync"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/image"
)

// Source is a place that a cache is read from.
type Source interface {
	image.Source
	// OpenRange opens n bytes of a blob from off on, which are not verified.
	OpenRange(ctx context.Context, d image.Descriptor, off, n int64) (io.ReadCloser, error)
}

// Cache is a cache that is read. It is used by several goroutines at once. What it
// gives is verified, but for what results say.
type Cache struct {
	src     Source
	desc    image.Descriptor // of what the name stood for
	results []Result
	index   image.Descriptor

	loading sync.Mutex
	loaded  *contents // nil before it was needed

	mu    sync.Mutex
	nodes map[digest.Digest][]byte // that were read
}

// contents is the index in memory.
type contents struct {
	packs []pack
	at    [2]map[digest.Digest]place // of nodes and of bodies
}

// place says where an object is.
type place struct {
	pack, chunk int32
	size        int64
}

func kindIndex(k Kind) int {
	if k == Node {
		return 0
	}
	return 1
}

// Open reads the manifest of the cache that a name stands for, and its results. A
// name that there is not is an [image.ErrUnknownRef] or an fs.ErrNotExist.
func Open(ctx context.Context, src Source, name string) (*Cache, error) {
	d, err := src.Resolve(ctx, name)
	if err != nil {
		return nil, err
	}
	c := &Cache{src: src, desc: d, nodes: map[digest.Digest][]byte{}}
	err = c.open(ctx)
	if errors.Is(err, fs.ErrNotExist) { // not the cache, but a part of it
		err = fmt.Errorf("%w: %v", ErrDamaged, err)
	}
	if err != nil {
		return nil, err
	}
	return c, nil
}

func (c *Cache) open(ctx context.Context) error {
	m, err := c.manifest(ctx, c.desc)
	if err != nil {
		return err
	}
	body, err := image.ReadAll(ctx, c.src, m.Config, maxConfig)
	if err != nil {
		return err
	}
	c.results, err = decodeResults(body)
	c.index = m.Layers[0]
	return err
}

// manifest reads the manifest that has the results and the index.
func (c *Cache) manifest(ctx context.Context, d image.Descriptor) (image.Manifest, error) {
	body, err := image.ReadAll(ctx, c.src, d, image.MaxManifestSize)
	if err != nil {
		return image.Manifest{}, err
	}
	if d.IsIndex() {
		x, err := image.ParseIndex(d.MediaType, body)
		if err != nil {
			return image.Manifest{}, err
		}
		if x.ArtifactType != ArtifactType || len(x.Manifests) == 0 || !x.Manifests[0].IsManifest() {
			return image.Manifest{}, &image.MediaTypeError{Got: x.ArtifactType, Want: "a cache of Inlay"}
		}
		d = x.Manifests[0].Bare()
		if body, err = image.ReadAll(ctx, c.src, d, image.MaxManifestSize); err != nil {
			return image.Manifest{}, err
		}
	}
	m, err := image.ParseManifest(d.MediaType, body)
	if err != nil {
		return image.Manifest{}, err
	}
	if m.ArtifactType != ArtifactType || m.Config.MediaType != MediaTypeResults {
		return m, &image.MediaTypeError{Got: m.ArtifactType, Want: "a cache of Inlay"}
	}
	if len(m.Layers) == 0 || m.Layers[0].MediaType != MediaTypeIndex {
		return m, fmt.Errorf("%w: its manifest names no index", ErrDamaged)
	}
	return m, nil
}

// Result gives the result of an action key. Nobody has verified what it says.
func (c *Cache) Result(key digest.Digest) (Result, bool) {
	i, ok := slices.BinarySearchFunc(c.results, key, func(r Result, k digest.Digest) int { return r.Key.Compare(k) })
	if !ok {
		return Result{}, false
	}
	return c.results[i], true
}

// Len is the number of results.
func (c *Cache) Len() int { return len(c.results) }

// contents reads the index, once.
func (c *Cache) contents(ctx context.Context) (*contents, error) {
	c.loading.Lock()
	defer c.loading.Unlock()
	if c.loaded != nil {
		return c.loaded, nil
	}
	b, err := image.ReadAll(ctx, c.src, c.index, maxIndex)
	if err != nil {
		return nil, err
	}
	packs, err := decodeIndex(b)
	if err != nil {
		return nil, err
	}
	c.loaded = newContents(packs)
	return c.loaded, nil
}

func newContents(packs []pack) *contents {
	x := &contents{packs: packs, at: [2]map[digest.Digest]place{{}, {}}}
	for i := range packs {
		x.note(i)
	}
	return x
}

// note notes where the objects of a pack are.
func (x *contents) note(i int) {
	for j, ch := range x.packs[i].chunks {
		at := x.at[kindIndex(ch.kind)]
		for _, o := range ch.objects {
			if _, twice := at[o.Digest]; !twice {
				at[o.Digest] = place{int32(i), int32(j), o.Size}
			}
		}
	}
}

// Has tells whether the cache says that it has an object. The first look reads
// the index.
func (c *Cache) Has(ctx context.Context, k Kind, d digest.Digest) (bool, error) {
	x, err := c.contents(ctx)
	if err != nil {
		return false, err
	}
	_, ok := x.at[kindIndex(k)][d]
	return ok, nil
}

// Node gives the bytes of a node; one that is not there is an fs.ErrNotExist. What
// lies near it comes with it, and is kept in memory.
func (c *Cache) Node(ctx context.Context, d digest.Digest) ([]byte, error) {
	c.mu.Lock()
	b, ok := c.nodes[d]
	c.mu.Unlock()
	if ok {
		return b, nil
	}
	x, err := c.contents(ctx)
	if err != nil {
		return nil, err
	}
	at, ok := x.at[kindIndex(Node)][d]
	if !ok {
		return nil, fmt.Errorf("node %s: %w", d, fs.ErrNotExist)
	}
	run := run{int(at.pack), int(at.chunk), int(at.chunk) + 1}
	err = c.read(ctx, x, run, func(o Object, r io.Reader) error {
		data, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		c.mu.Lock()
		c.nodes[o.Digest] = data
		c.mu.Unlock()
		if o.Digest == d {
			b = data
		}
		return nil
	})
	return b, err
}

// fetchers is how many requests go on at a time.
const fetchers = 4

// Bodies reads many bodies, in an order of its own, several at a time: put is called
// by several goroutines, with a reader that is verified; it reads to the end before
// it takes the bytes for good. Those that the cache does not have come back.
func (c *Cache) Bodies(ctx context.Context, ds []digest.Digest, put func(Object, io.Reader) error) (missing []digest.Digest, err error) {
	x, err := c.contents(ctx)
	if err != nil {
		return nil, err
	}
	want := map[digest.Digest]bool{}
	var at []place
	for _, d := range ds {
		if want[d] {
			continue
		}
		p, ok := x.at[kindIndex(Body)][d]
		if !ok {
			missing = append(missing, d)
			continue
		}
		want[d] = true
		at = append(at, p)
	}
	return missing, c.readAll(ctx, x, x.runs(at), func(o Object, r io.Reader) error {
		if !want[o.Digest] {
			return nil
		}
		return put(o, r)
	})
}

func (c *Cache) readAll(ctx context.Context, x *contents, runs []run, yield func(Object, io.Reader) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan run)
	var wg sync.WaitGroup
	for range min(fetchers, len(runs)) {
		wg.Go(func() {
			for r := range work {
				if err := c.read(ctx, x, r, yield); err != nil {
					cancel(err)
					return
				}
			}
		})
	}
	for _, r := range runs {
		select {
		case work <- r:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(work)
	wg.Wait()
	return context.Cause(ctx)
}

// run is some chunks of a pack, one after the other: from first to before end.
type run struct{ pack, first, end int }

const (
	closeBy = 256 << 10 // a gap that is cheaper to read than to ask again for
	longest = 8 << 20   // of a run, so that several go on at a time
)

// runs gives what is to be read for some objects: few requests, little in vain.
func (x *contents) runs(at []place) []run {
	slices.SortFunc(at, func(a, b place) int {
		if a.pack != b.pack {
			return int(a.pack - b.pack)
		}
		return int(a.chunk - b.chunk)
	})
	var out []run
	for _, p := range at {
		pi, ci := int(p.pack), int(p.chunk)
		if n := len(out); n > 0 && out[n-1].pack == pi {
			last := &out[n-1]
			chunks := x.packs[pi].chunks
			if ci < last.end || length(chunks[last.end:ci]) <= closeBy && length(chunks[last.first:ci+1]) <= longest {
				last.end = max(last.end, ci+1)
				continue
			}
		}
		out = append(out, run{pi, ci, ci + 1})
	}
	return out
}

func length(cs []chunk) (n int64) {
	for _, c := range cs {
		n += c.length
	}
	return n
}

// read reads chunks by one request.
func (c *Cache) read(ctx context.Context, x *contents, r run, yield func(Object, io.Reader) error) error {
	p := &x.packs[r.pack]
	off, n := length(p.chunks[:r.first]), length(p.chunks[r.first:r.end])
	var rc io.ReadCloser
	var err error
	if n == p.size {
		rc, err = c.src.Open(ctx, p.descriptor())
	} else {
		rc, err = c.src.OpenRange(ctx, p.descriptor(), off, n)
	}
	if err != nil {
		return err
	}
	defer rc.Close()
	dec, err := newDecoder()
	if err != nil {
		return err
	}
	defer dec.close()
	for _, ch := range p.chunks[r.first:r.end] {
		if err := c.readChunk(dec, rc, ch, yield); err != nil {
			return fmt.Errorf("pack %s: %w", p.digest, err)
		}
	}
	return nil
}

// inMemory is the size up to which a chunk is read before it is decoded.
const inMemory = 2 * maxChunk

func (c *Cache) readChunk(dec *decoder, r io.Reader, ch chunk, yield func(Object, io.Reader) error) error {
	if ch.length > inMemory {
		l := io.LimitReader(r, ch.length)
		if err := dec.chunk(&sourceReader{l}, ch, yield); err != nil {
			return err
		}
		_, err := io.Copy(io.Discard, l)
		return err
	}
	b := make([]byte, ch.length)
	if _, err := io.ReadFull(r, b); err != nil {
		return err
	}
	return dec.chunk(bytes.NewReader(b), ch, yield)
}
