package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"sync"
	"sync/atomic"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/internal/cache"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/inlaybuild/inlay/tree"
)

// caches are those that an engine reads. A nil one has none.
//
// What they have is never named in the store before all of it is there. A result
// that was found in one is a tree whose nodes are loaded from [lazy] when somebody
// looks into it. Files come into the store when they are opened; [Engine.bring]
// brings a whole tree, which is what a process needs, and then names it.
//
// A cache that fails is given up for the life of the engine: that is told, and
// what is missing because of it is an [engine.ErrLost], upon which the step that had
// its result from there is carried out.
type caches struct {
	engine *Engine
	list   []*sharedCache

	mu   sync.Mutex
	hits map[digest.Digest][]*hit // by the digests of their trees, until these are in the store
}

// sharedCache is a cache that is read.
type sharedCache struct {
	place cachePlace

	opening sync.Mutex
	opened  bool
	cache   *cache.Cache // nil before it was opened, and when there is none
	end     func() error
	gone    bool // it was given up; caches.mu guards it

	believed atomic.Bool // a result of it was taken
}

// hit is a result that was found in a cache.
type hit struct {
	key    digest.Digest
	record store.Record // as the store will have it
}

func newCaches(e *Engine, from []engine.Cache) (*caches, error) {
	if len(from) == 0 {
		return nil, nil
	}
	rs := &caches{engine: e, hits: map[digest.Digest][]*hit{}}
	for _, c := range from {
		p, err := cacheFrom(c)
		if err != nil {
			return nil, err
		}
		rs.list = append(rs.list, &sharedCache{place: p})
	}
	return rs, nil
}

// isGone tells whether a cache was given up.
func (rs *caches) isGone(c *sharedCache) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return c.gone
}

// giveUp ends the use of a cache because of an error.
func (rs *caches) giveUp(ctx context.Context, r *sharedCache, err error) {
	if ctx.Err() != nil {
		return // it was we who stopped
	}
	rs.mu.Lock()
	was := r.gone
	r.gone = true
	rs.mu.Unlock()
	if !was {
		rs.engine.audience.tell(engine.CacheTold{Cache: r.place.name, Warning: true, Text: fmt.Sprintf("it is not used any more: %v", err)})
	}
}

// opened is a cache that is in use, as it was opened.
type opened struct {
	*sharedCache
	cache *cache.Cache
}

// live gives those that are in use and that have a cache.
func (rs *caches) live(ctx context.Context) (out []opened) {
	if rs == nil {
		return nil
	}
	for _, r := range rs.list {
		if c := r.open(ctx, rs); c != nil {
			out = append(out, opened{r, c})
		}
	}
	return out
}

// open gives the cache; nil if there is none, or no more.
func (r *sharedCache) open(ctx context.Context, rs *caches) *cache.Cache {
	r.opening.Lock()
	defer r.opening.Unlock()
	if rs.isGone(r) {
		return nil
	}
	if r.opened {
		return r.cache
	}
	c, err := r.read(ctx, rs.engine)
	if err != nil && ctx.Err() != nil {
		return nil // another one may try
	}
	r.opened = true
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, image.ErrUnknownRef):
		rs.engine.audience.tell(engine.CacheTold{Cache: r.place.name, Text: "there is none yet"})
	case err != nil:
		rs.giveUp(ctx, r, err)
	default:
		r.cache = c
		if !r.place.trust && c.Len() > 0 {
			rs.engine.audience.tell(engine.CacheTold{Cache: r.place.name, Text: "its results are not used, only what can be verified by digest: " +
				"add trust=true if you trust all who can write there"})
		}
	}
	return r.cache
}

func (r *sharedCache) read(ctx context.Context, e *Engine) (*cache.Cache, error) {
	src, end, err := e.openCacheSource(r.place)
	if err != nil {
		return nil, err
	}
	name := r.place.tag
	c, err := cache.Open(ctx, &keptIndex{src, e}, name)
	if err != nil {
		return nil, errors.Join(err, end())
	}
	r.end = end
	return c, nil
}

// close ends the use of all.
func (rs *caches) close() error {
	if rs == nil {
		return nil
	}
	var errs []error
	for _, r := range rs.list {
		r.opening.Lock()
		if r.end != nil {
			errs = append(errs, r.end())
			r.end = nil
		}
		r.cache, r.opened = nil, true
		r.opening.Unlock()
	}
	return errors.Join(errs...)
}

// result finds a result in those that are trusted.
func (rs *caches) result(ctx context.Context, key digest.Digest) (cache.Result, *sharedCache, bool) {
	for _, r := range rs.live(ctx) {
		if res, ok := r.cache.Result(key); ok && r.place.trust {
			return res, r.sharedCache, true
		}
	}
	return cache.Result{}, nil, false
}

// keptIndex keeps the index of a cache in the store: as a blob that nothing names,
// which a collection takes away.
type keptIndex struct {
	cache.Source
	engine *Engine
}

// Open opens a blob.
func (k *keptIndex) Open(ctx context.Context, d image.Descriptor) (io.ReadCloser, error) {
	if d.MediaType != cache.MediaTypeIndex {
		return k.Source.Open(ctx, d)
	}
	if rc, err := k.engine.Open(ctx, d); err == nil {
		return rc, nil
	}
	in, err := k.engine.store.NewIngest(ctx)
	if err != nil {
		return k.Source.Open(ctx, d) // a store that cannot be written
	}
	defer in.Abort()
	if err := keepBlob(ctx, in, k.Source, d); err != nil {
		return nil, err
	}
	if err := in.Commit(ctx, store.Changes{}); err != nil {
		return k.Source.Open(ctx, d)
	}
	return k.engine.Open(ctx, d)
}

// lazy is the store together with the caches, as a source of nodes: of trees of
// which the store may not have all. It is not the store's own source, so that
// [tree.Save] knows that their nodes are not safe yet.
type lazy struct {
	engine *Engine
}

// Node gives an encoded node.
func (l *lazy) Node(ctx context.Context, d digest.Digest) ([]byte, error) {
	b, err := l.engine.store.Node(ctx, d)
	rs := l.engine.caches
	if !errors.Is(err, store.ErrMissing) || rs == nil {
		return b, err
	}
	for _, r := range rs.live(ctx) {
		has, err := r.cache.Has(ctx, cache.Node, d)
		if err == nil && !has {
			continue
		}
		if err == nil {
			b, err = r.cache.Node(ctx, d)
		}
		if err == nil {
			return b, nil
		}
		rs.giveUp(ctx, r.sharedCache, err)
	}
	return nil, rs.missing(ctx, "node "+d.String())
}

// missing is the error of something that no cache has.
func (rs *caches) missing(ctx context.Context, what string) error {
	if err := context.Cause(ctx); err != nil {
		return err
	}
	// Who has promised it is not to be believed any more.
	for _, r := range rs.live(ctx) {
		if r.believed.Load() {
			rs.giveUp(ctx, r.sharedCache, fmt.Errorf("%s is not in it, and one of its results needs it", what))
		}
	}
	return fmt.Errorf("%w: %w: %s", tree.ErrMissingNode, engine.ErrLost, what)
}

// bodies brings the contents of files into an ingest. Those that no cache has are
// an error.
func (rs *caches) bodies(ctx context.Context, in *store.Ingest, ds []digest.Digest) error {
	if len(ds) == 0 {
		return nil
	}
	var mu sync.Mutex
	have := map[digest.Digest]bool{}
	for _, r := range rs.live(ctx) {
		if len(ds) == 0 {
			break
		}
		_, err := r.cache.Bodies(ctx, ds, func(o cache.Object, body io.Reader) error {
			if err := take(ctx, in, body); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			have[o.Digest] = true
			return nil
		})
		var own *storeError
		if errors.As(err, &own) {
			return own.err
		}
		if err != nil {
			rs.giveUp(ctx, r.sharedCache, err)
		}
		var rest []digest.Digest
		for _, d := range ds {
			if !have[d] {
				rest = append(rest, d)
			}
		}
		ds = rest
	}
	if len(ds) > 0 {
		return rs.missing(ctx, fmt.Sprintf("the content %s (and %d more)", ds[0], len(ds)-1))
	}
	return nil
}

// take takes a verified body into an ingest.
func take(ctx context.Context, in *store.Ingest, body io.Reader) error {
	w := in.Create()
	r := &failing{Reader: body}
	if _, err := w.ReadFrom(r); err != nil {
		err = errors.Join(err, w.Discard())
		if r.err == nil {
			return &storeError{err}
		}
		return err
	}
	if _, _, err := w.Finish(ctx); err != nil {
		return &storeError{err}
	}
	return nil
}

// failing is a reader that remembers that it failed.
type failing struct {
	io.Reader
	err error
}

func (f *failing) Read(b []byte) (int, error) {
	n, err := f.Reader.Read(b)
	if err != nil && err != io.EOF {
		f.err = err
	}
	return n, err
}

// storeError is an error of the store, not of what is read from a cache.
type storeError struct{ err error }

func (e *storeError) Error() string { return e.err.Error() }

// body brings the content of one file into the store.
func (rs *caches) body(ctx context.Context, d digest.Digest) error {
	in, err := rs.engine.store.NewIngest(ctx)
	if err != nil {
		return err
	}
	defer in.Abort()
	if err := rs.bodies(ctx, in, []digest.Digest{d}); err != nil {
		return err
	}
	return in.Commit(ctx, store.Changes{})
}

// here tells whether a tree can be kept without reading from a cache: nobody asked
// for its parts, if a part of it is there alone.
func (e *Engine) here(ctx context.Context, t tree.Tree) (bool, error) {
	if e.caches == nil {
		return true, nil
	}
	if tree.From(t, e.lazy) {
		return false, nil
	}
	var contents []digest.Digest
	_, err := tree.Save(ctx, t, e.source, func(_ digest.Digest, node []byte) error {
		_, named, err := tree.References(node)
		contents = append(contents, named...)
		return err
	})
	if err != nil {
		return false, err
	}
	missing, err := e.lacking(ctx, contents)
	return len(missing) == 0, err
}
