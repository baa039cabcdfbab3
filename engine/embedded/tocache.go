package embedded

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"sync"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/internal/cache"
	"github.com/inlaybuild/inlay/tree"
)

// made are the results that an engine made, or found, since it was opened.
type made struct {
	mu      sync.Mutex
	results map[digest.Digest]madeResult
}

type madeResult struct {
	tree tree.Tree
	data any // as JSON, for a cache
	said []tree.File
}

// remember remembers a result, if a cache is to have it.
func (e *Engine) remember(key digest.Digest, r madeResult) {
	if len(e.options.CacheTo) == 0 {
		return
	}
	e.made.mu.Lock()
	defer e.made.mu.Unlock()
	if e.made.results == nil {
		e.made.results = map[digest.Digest]madeResult{}
	}
	e.made.results[key] = r
}

// remember remembers the result of an exec.
func (x *exec) remember(key digest.Digest, r engine.Result) {
	said := []tree.File{r.Exec.Stdout, r.Exec.Stderr}
	x.engine().remember(key, madeResult{
		tree: r.Tree, said: said,
		data: cachedExec{Op: "exec", ExitCode: r.Exec.ExitCode, Stdout: contentOf(said[0]), Stderr: contentOf(said[1])},
	})
}

// ExportCache writes the results that this engine made or found since it was opened
// to all caches of [Options].CacheTo, with the trees behind them. What a cache has
// stays in it. A cache that cannot be written is an error, or with ignore-error=true
// a warning.
func (e *Engine) ExportCache(ctx context.Context, s engine.Sink) ([]engine.CacheExported, error) {
	ev := newEvents(s)
	e.audience.listen(ev)
	if e.where != nil {
		return nil, e.where.ExportCache(ctx)
	}
	if len(e.options.CacheTo) == 0 {
		return nil, nil
	}
	e.made.mu.Lock()
	results := maps.Clone(e.made.results)
	e.made.mu.Unlock()
	var out []engine.CacheExported
	var errs []error
	for _, c := range e.options.CacheTo {
		p, err := cacheTo(c)
		if err == nil {
			var done engine.CacheExported
			if done, err = e.exportCache(ctx, p, results, ev); err == nil {
				out = append(out, done)
				continue
			}
			err = fmt.Errorf("write the cache %s: %w", p.name, ended(ctx, err))
		}
		if p.ignore && ctx.Err() == nil {
			ev.send(engine.CacheTold{Cache: p.name, Warning: true, Text: fmt.Sprintf("it is not written: %v", err)})
			continue
		}
		errs = append(errs, err)
	}
	return out, errors.Join(errs...)
}

func (e *Engine) exportCache(ctx context.Context, p cachePlace, results map[digest.Digest]madeResult, ev *events) (_ engine.CacheExported, err error) {
	if err := e.arrived(ctx); err != nil {
		return engine.CacheExported{}, err
	}
	x := &cacheExport{engine: e, made: results}
	dst, end, err := e.openCachePlace(p)
	if err != nil {
		return engine.CacheExported{}, err
	}
	defer func() { err = errors.Join(err, end()) }()
	content := cache.Content{
		Results: func(has hasObject) ([]cache.Result, error) { return x.choose(ctx, has) },
		Objects: func(has hasObject) iter.Seq2[cache.Object, error] { return x.objects(ctx, has) },
		Open:    x.open,
	}
	m := progress{engine.SinkFunc(ev.send), -1}.meter("cache to "+p.name, 0)
	w, err := cache.Write(ctx, dst, p.tag, content, cache.Options{TempDir: e.store.Dir(), Progress: func(n int64) { m.add(n, 0) }})
	if err != nil {
		return engine.CacheExported{}, err
	}
	return engine.CacheExported{Cache: p.name, Results: w.Results, Sent: w.Sent}, nil
}

// hasObject tells whether the cache that is written has an object.
type hasObject = func(cache.Kind, digest.Digest) bool

// bringResult makes sure that all of a result that the cache does not have is in the
// store.
func (e *Engine) bringResult(ctx context.Context, r madeResult, has hasObject) error {
	if e.caches == nil {
		return nil
	}
	if !has(cache.Node, r.tree.Digest()) {
		if err := e.bring(ctx, r.tree); err != nil {
			return err
		}
	}
	for _, f := range r.said {
		if f.Size == 0 || has(cache.Body, f.Content) {
			continue
		}
		rc, err := e.OpenContent(ctx, f.Content)
		if err != nil {
			return err
		}
		rc.Close()
	}
	return nil
}

// cacheExport gives what is written to a cache.
type cacheExport struct {
	engine  *Engine
	made    map[digest.Digest]madeResult
	results map[digest.Digest]madeResult // that are written: not those that were lost
}

// choose gives the results that are written, and brings what they lack.
func (x *cacheExport) choose(ctx context.Context, has hasObject) (out []cache.Result, err error) {
	x.results = map[digest.Digest]madeResult{}
	for key, r := range x.made {
		if err := x.engine.bringResult(ctx, r, has); errors.Is(err, engine.ErrLost) {
			continue // that is told
		} else if err != nil {
			return nil, err
		}
		data, err := json.Marshal(r.data)
		if err != nil {
			return nil, fmt.Errorf("encode a result: %w", err)
		}
		x.results[key] = r
		out = append(out, cache.Result{Key: key, Tree: r.tree.Digest(), Data: data})
	}
	return out, nil
}

// keys gives the keys in their order.
func (x *cacheExport) keys() []digest.Digest {
	return slices.SortedFunc(maps.Keys(x.results), digest.Digest.Compare)
}

// errStop ends a walk whose taker has enough.
var errStop = errors.New("stop")

// objects gives the nodes and bodies of all results, in the order of their trees.
func (x *cacheExport) objects(ctx context.Context, has hasObject) iter.Seq2[cache.Object, error] {
	return func(yield func(cache.Object, error) bool) {
		give := func(o cache.Object) error {
			if !yield(o, nil) {
				return errStop
			}
			return nil
		}
		w := &objectWalk{engine: x.engine, has: has, give: give, seen: map[digest.Digest]bool{}, bodies: map[digest.Digest]bool{}}
		for _, key := range x.keys() {
			r := x.results[key]
			err := w.node(ctx, r.tree.Digest())
			for _, f := range r.said {
				if err == nil && f.Size > 0 {
					err = w.body(ctx, f.Content)
				}
			}
			if err != nil {
				if err != errStop {
					yield(cache.Object{}, err)
				}
				return
			}
		}
	}
}

// objectWalk goes through trees in the store.
type objectWalk struct {
	engine       *Engine
	has          hasObject
	give         func(cache.Object) error
	seen, bodies map[digest.Digest]bool
}

func (w *objectWalk) node(ctx context.Context, d digest.Digest) error {
	if w.seen[d] || w.has(cache.Node, d) {
		return nil
	}
	w.seen[d] = true
	data, err := w.engine.source.Node(ctx, d)
	if err != nil {
		return err
	}
	if err := w.give(cache.Object{Kind: cache.Node, Digest: d, Size: int64(len(data))}); err != nil {
		return err
	}
	nodes, bodies, err := tree.References(data)
	if err != nil {
		return err
	}
	for _, b := range bodies {
		if err := w.body(ctx, b); err != nil {
			return err
		}
	}
	for _, n := range nodes {
		if err := w.node(ctx, n); err != nil {
			return err
		}
	}
	return nil
}

func (w *objectWalk) body(ctx context.Context, d digest.Digest) error {
	if w.bodies[d] || w.has(cache.Body, d) {
		return nil
	}
	w.bodies[d] = true
	b, err := w.engine.store.OpenBlob(ctx, d)
	if err != nil {
		return fmt.Errorf("%w; `inlay fsck` tells what is damaged", err)
	}
	defer b.Close()
	return w.give(cache.Object{Kind: cache.Body, Digest: d, Size: b.Size()})
}

// open opens an object.
func (x *cacheExport) open(ctx context.Context, o cache.Object) (io.ReadCloser, error) {
	if o.Kind == cache.Body {
		return x.engine.store.OpenBlob(ctx, o.Digest)
	}
	b, err := x.engine.source.Node(ctx, o.Digest)
	return io.NopCloser(bytes.NewReader(b)), err
}
