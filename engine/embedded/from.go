package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/internal/capture"
	"github.com/inlaybuild/inlay/internal/compress"
	"github.com/inlaybuild/inlay/internal/layer"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/inlaybuild/inlay/tree"
)

func (s *step) from(ctx context.Context, op graph.From) (engine.Result, error) {
	place, err := engine.ParsePlace(op.Source)
	if err != nil {
		return engine.Result{}, err
	}
	e := s.engine()
	switch place.Scheme {
	case engine.SchemeScratch:
		return scratch(), nil
	case engine.SchemeDigest:
		d, err := digest.Parse(place.Path)
		if err != nil {
			return engine.Result{}, err
		}
		t, err := tree.Load(ctx, e.withRuns, d)
		if errors.Is(err, store.ErrMissing) {
			if t, ok, err := s.cachedTree(ctx, d); ok || err != nil {
				return treeResult(t), err
			}
			return engine.Result{}, fmt.Errorf("no tree %s in the store: %w", place.Path, err)
		}
		s.cached = err == nil
		return treeResult(t), err
	case engine.SchemeStep:
		return s.fromStep(ctx, place.Path)
	case engine.SchemeTar, engine.SchemeDir:
		sv, err := e.save(ctx)
		if err != nil {
			return engine.Result{}, err
		}
		defer sv.ingest.Abort()
		t, stats, err := e.readTree(ctx, sv, place, s.progress())
		if err != nil {
			return engine.Result{}, err
		}
		if place.Scheme == engine.SchemeDir {
			s.readFiles(stats)
		} else {
			s.uncached(engine.ReadEveryTime, "a tar is read every time")
		}
		if err := sv.commit(ctx, store.Changes{}); err != nil {
			return engine.Result{}, err
		}
		s.progress().wrote(sv)
		return treeResult(t), nil
	case engine.SchemeName:
		return s.fromName(ctx, place, op)
	}
	if r, ok, err := s.cachedImage(ctx, place, op); ok || err != nil {
		return r, err
	}
	n, cached, err := e.readImages(ctx, place, ImportOptions{Platform: op.Platform}, s.progress())
	if err != nil {
		return engine.Result{}, err
	}
	if s.cached = cached; !cached {
		s.uncached(engine.NotInStore, "not all of its layers were in the store")
	}
	return e.result(ctx, n, n.Images[0])
}

// fromName finds a name in the store, or pulls it.
func (s *step) fromName(ctx context.Context, place engine.Place, op graph.From) (engine.Result, error) {
	e := s.engine()
	ref, err := e.store.Ref(ctx, place.Path)
	if errors.Is(err, store.ErrMissing) {
		if r, ok, err := s.cachedImage(ctx, place, op); ok {
			return r, err
		} // and what is wrong with it, if something is, will be said
		if e.where != nil {
			return s.pulled(ctx, place, op)
		}
		s.uncached(engine.NotInStore, "it was not in the store")
		if _, err := e.Import(ctx, place, place.Path, ImportOptions{Platform: op.Platform, Progress: s.progress()}); err != nil {
			return engine.Result{}, fmt.Errorf("%s is not in the store, and could not be pulled: %w", place.Path, err)
		}
		ref, err = e.store.Ref(ctx, place.Path)
	} else {
		s.cached = true
	}
	if err != nil {
		return engine.Result{}, err
	}
	whole, err := e.store.Complete(ctx, ref.Record)
	if err != nil {
		return engine.Result{}, err
	}
	if !whole {
		return engine.Result{}, fmt.Errorf("%s is damaged in the store: import or pull it again", place.Path)
	}
	n, err := readNamed(ref.Record)
	if err != nil {
		return engine.Result{}, fmt.Errorf("%s: %w", place.Path, err)
	}
	i, err := n.platform(op.Platform)
	if err != nil {
		return engine.Result{}, fmt.Errorf("%s: %w", place.Path, err)
	}
	return e.result(ctx, n, i)
}

// treeResult is a tree that is no image.
func treeResult(t tree.Tree) engine.Result {
	r := scratch()
	r.Tree, r.Origin = t, t
	return r
}

// readTree reads a directory or a plain tar. Of a directory it tells what had to
// be read.
func (e *Engine) readTree(ctx context.Context, sv *saving, p engine.Place, progress progress) (t tree.Tree, stats capture.Stats, err error) {
	if p.Scheme == engine.SchemeDir {
		return capture.Directory(ctx, p.Path, bodies{e, sv.ingest}, capture.Options{
			CacheDir: e.cacheDir("stat"),
			Progress: progress.captured(p.String()),
		})
	}
	var r io.Reader = e.options.Stdin
	if p.Path != "-" {
		f, err := os.Open(p.Path)
		if err != nil {
			return tree.Tree{}, stats, err
		}
		defer f.Close()
		r = f
	}
	z, err := compress.NewReader(progress.reader(p.String(), r), e.compressLimits())
	if err != nil {
		return tree.Tree{}, stats, fmt.Errorf("%s: %w", p, err)
	}
	defer z.Close()
	in := &countedReader{Reader: z}
	t, _, err = layer.ReadTree(ctx, in, layer.ReadOptions{Blobs: sv.ingest, Limits: e.layerLimits()})
	if err != nil {
		return tree.Tree{}, stats, fmt.Errorf("%s: %w", p, err)
	}
	if in.n == 0 {
		return tree.Tree{}, stats, fmt.Errorf("%s is empty: not even the end of a tar is in it", p)
	}
	return t, stats, nil
}

// countedReader counts what is read.
type countedReader struct {
	io.Reader
	n int64
}

func (r *countedReader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	r.n += int64(n)
	return n, err
}

func (e *Engine) layerLimits() layer.Limits {
	l := e.options.Limits
	return layer.Limits{MaxBytes: l.MaxBytes, MaxEntries: l.MaxEntries, MaxDepth: l.MaxDepth, MaxHoles: l.MaxHoles, MaxMetadata: l.MaxMeta}
}

func (e *Engine) compressLimits() compress.Limits {
	return compress.Limits{MaxBytes: e.options.Limits.MaxBytes}
}

// bodies is an ingest as capture wants it.
type bodies struct {
	engine *Engine
	ingest *store.Ingest
}

// Missing asks the store.
func (b bodies) Missing(ctx context.Context, ds []digest.Digest) ([]digest.Digest, error) {
	return b.engine.store.Missing(ctx, ds)
}

// PutBytes keeps a body.
func (b bodies) PutBytes(ctx context.Context, body []byte) (digest.Digest, int64, error) {
	return b.ingest.PutBytes(ctx, body)
}

// Create begins a body.
func (b bodies) Create() capture.Writer { return b.ingest.Create() }

// defaultConfig is the config of a tree that is no image.
func defaultConfig() []byte { return image.NewConfig(image.HostPlatform()).Bytes() }
