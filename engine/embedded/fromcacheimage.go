package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/internal/cache"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/inlaybuild/inlay/tree"
)

// cachedUnpack is what a cache says of an image, as JSON: its tree is all there is to
// say. Config and layers are verified by the image's own manifest.
type cachedUnpack struct {
	Op string `json:"op"` // "unpack"
}

// cachedTree gives a tree by its digest, if a cache has it. It need not be trusted.
func (s *step) cachedTree(ctx context.Context, d digest.Digest) (tree.Tree, bool, error) {
	e := s.engine()
	for _, r := range e.caches.live(ctx) {
		has, err := r.cache.Has(ctx, cache.Node, d)
		if err != nil {
			e.caches.giveUp(ctx, r.sharedCache, err)
		}
		if !has || err != nil {
			continue
		}
		t, err := tree.Load(ctx, e.lazy, d)
		if errors.Is(err, engine.ErrLost) {
			continue // that is told
		}
		if err == nil {
			s.cached = true
			s.fromCache(r.sharedCache)
		}
		return t, err == nil, err
	}
	return tree.Tree{}, false, ctx.Err()
}

// cachedImage gives an image whose tree a trusted cache has: no layer of it is read
// before it is needed. It gets no name in the store, which does not have all of it.
func (s *step) cachedImage(ctx context.Context, from engine.Place, op graph.From) (res engine.Result, ok bool, err error) {
	e := s.engine()
	if !e.caches.trusted(ctx) || from.Scheme != engine.SchemeName && from.Scheme != engine.SchemeOCI {
		return res, false, nil
	}
	src, tag, end, err := e.openSource(from, ImportOptions{Platform: op.Platform})
	if err != nil {
		return res, false, err
	}
	defer func() {
		if !ok {
			err = errors.Join(err, end())
		}
	}()
	img, err := findImage(ctx, src, tag, op.Platform)
	if err != nil {
		return res, false, err
	}
	key := unpackKey(img)
	if _, here, err := e.store.Result(ctx, key); here || err != nil {
		return res, false, err
	}
	found, r, ok := e.caches.result(ctx, key)
	if !ok {
		return res, false, ctx.Err()
	}
	var said cachedUnpack
	if err := strictJSON(found.Data, &said); err != nil || said.Op != "unpack" {
		e.caches.giveUp(ctx, r, fmt.Errorf("its result %s is not understood", key))
		return res, false, nil
	}
	r.believed.Store(true)
	t, err := tree.Load(ctx, e.lazy, found.Tree)
	if err != nil {
		if ctx.Err() == nil {
			e.caches.giveUp(ctx, r, err)
		}
		return res, false, ctx.Err()
	}
	e.origins.add(img, end)
	s.cached = true
	s.fromCache(r)
	return imageResult(img, t, from), true, nil
}

func findImage(ctx context.Context, src image.Source, tag, platform string) (image.Image, error) {
	desc, err := src.Resolve(ctx, tag)
	if err != nil {
		return image.Image{}, err
	}
	var p *image.Platform
	if platform != "" {
		q, err := image.ParsePlatform(platform)
		if err != nil {
			return image.Image{}, err
		}
		p = &q
	}
	return image.Find(ctx, src, desc, p)
}

func imageResult(img image.Image, t tree.Tree, from engine.Place) engine.Result {
	d := img.Descriptor().Bare()
	base := engine.Base{Tree: t, Layers: img.Layers(), Image: &d, Config: digest.Of(img.Config().Bytes())}
	if from.Scheme == engine.SchemeName {
		base.Origin = from.Path
	}
	return engine.Result{Tree: t, Origin: t, Config: img.Config(), Base: base}
}

// trusted tells whether there is a cache whose results are used.
func (rs *caches) trusted(ctx context.Context) bool {
	for _, r := range rs.live(ctx) {
		if r.place.trust {
			return true
		}
	}
	return false
}

// rememberImage remembers that an image was unpacked.
func (e *Engine) rememberImage(r engine.Result) {
	if r.Base.Image == nil || !tree.Equal(r.Tree, r.Base.Tree) {
		return
	}
	e.remember(unpackKeyOf(r.Base.Image.Digest), madeResult{tree: r.Tree, data: cachedUnpack{Op: "unpack"}})
}

// origins are images of which the store does not have all blobs, and where they are.
type origins struct {
	mu     sync.Mutex
	images []image.Image
	ends   []func() error
}

func (o *origins) add(img image.Image, end func() error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.images, o.ends = append(o.images, img), append(o.ends, end)
}

func (o *origins) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	var errs []error
	for _, end := range o.ends {
		errs = append(errs, end())
	}
	o.images, o.ends = nil, nil
	return errors.Join(errs...)
}

// open opens a blob of one of the images; the error of one of none is a [store.MissingError].
func (o *origins) open(ctx context.Context, d image.Descriptor) (io.ReadCloser, error) {
	o.mu.Lock()
	var src image.Opener
	for _, img := range o.images {
		has := img.Descriptor().Digest == d.Digest || digest.Of(img.Config().Bytes()) == d.Digest
		for _, l := range img.Layers() {
			has = has || l.Digest == d.Digest
		}
		if has {
			src = img.Source()
		}
	}
	o.mu.Unlock()
	if src == nil {
		return nil, &store.MissingError{Kind: store.KindBlob, Digest: d.Digest}
	}
	return src.Open(ctx, d)
}
