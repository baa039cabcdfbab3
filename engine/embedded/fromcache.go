package embedded

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/inlaybuild/inlay/tree"
)

// cachedExec is what a cache says of an exec, as JSON. Neither its command nor its
// environment is in it: the key is made of them.
type cachedExec struct {
	Op       string         `json:"op"` // "exec"
	ExitCode int            `json:"exitCode"`
	Stdout   *cachedContent `json:"stdout,omitempty"` // nil for nothing
	Stderr   *cachedContent `json:"stderr,omitempty"`
}

type cachedContent struct {
	Digest digest.Digest `json:"digest"`
	Size   int64         `json:"size"`
}

func contentOf(f tree.File) *cachedContent {
	if f.Size == 0 {
		return nil
	}
	return &cachedContent{f.Content, f.Size}
}

// file gives what a process said, as a file.
func (c *cachedContent) file() (tree.File, error) {
	if c == nil {
		return tree.File{}, nil
	}
	if c.Digest.IsZero() || c.Size <= 0 {
		return tree.File{}, errors.New("what the process said has no digest or no size")
	}
	return tree.File{Content: c.Digest, Size: c.Size}, nil
}

// strictJSON reads one JSON value of known members.
func strictJSON(b []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode(v)
}

// record gives the result as the store has it.
func (x *exec) cachedRecord(b []byte) (execRecord, error) {
	var c cachedExec
	if err := strictJSON(b, &c); err != nil {
		return execRecord{}, err
	}
	if c.Op != "exec" {
		return execRecord{}, fmt.Errorf("a result of %q where one of an exec was due", c.Op)
	}
	rec := execRecord{Args: x.spec.Args, ExitCode: c.ExitCode}
	var err1, err2 error
	rec.Stdout, err1 = c.Stdout.file()
	rec.Stderr, err2 = c.Stderr.file()
	return rec, errors.Join(err1, err2)
}

// fromCache gives the result that a trusted cache has. Its root is read, and no
// more. A cache that does not keep what it promises is given up, and the step runs.
func (x *exec) fromCache(ctx context.Context, key digest.Digest) (engine.Result, bool, error) {
	e := x.engine()
	for {
		found, r, ok := e.caches.result(ctx, key)
		if !ok {
			return engine.Result{}, false, ctx.Err()
		}
		rec, err := x.cachedRecord(found.Data)
		if err != nil {
			e.caches.giveUp(ctx, r, fmt.Errorf("its result %s is not understood: %w", key, err))
			continue
		}
		r.believed.Store(true)
		t, err := tree.Load(ctx, e.lazy, found.Tree)
		if err != nil {
			if ctx.Err() == nil {
				e.caches.giveUp(ctx, r, err)
			}
			continue
		}
		kept, err := rec.record(found.Tree)
		if err != nil {
			return engine.Result{}, false, err
		}
		e.caches.hit(found.Tree, hit{key, kept})
		x.step.fromCache(r)
		return x.result(t, rec), true, nil
	}
}

// fromCache notes that the result of the step came from a cache.
func (s *step) fromCache(r *sharedCache) {
	s.run.mu.Lock()
	s.run.found[s.node] = r
	s.run.mu.Unlock()
	s.event(engine.FromCache{Step: s.number, Cache: r.place.name})
}

// hit remembers a result until its tree is in the store.
func (rs *caches) hit(t digest.Digest, h hit) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	for _, o := range rs.hits[t] {
		if o.key == h.key {
			return
		}
	}
	rs.hits[t] = append(rs.hits[t], &h)
}

// waits tells whether there are results that are to be the store's own when their
// tree is there.
func (rs *caches) waits(t digest.Digest) bool {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return len(rs.hits[t]) > 0
}

// bring makes sure that all of a tree is in the store, as a process needs it. What
// results of caches came to the tree become the store's own.
func (e *Engine) bring(ctx context.Context, t tree.Tree) error {
	if e.caches == nil {
		return nil
	}
	d := t.Digest()
	missing, err := e.store.MissingNodes(ctx, []digest.Digest{d})
	if err != nil || len(missing) == 0 && !e.caches.waits(d) {
		return err
	}
	sv, err := e.save(ctx)
	if err != nil {
		return err
	}
	defer sv.ingest.Abort()
	if len(missing) > 0 {
		if _, err := sv.add(ctx, t); err != nil {
			return err
		}
	}
	results, err := e.caches.results(ctx, sv, d)
	if err != nil {
		return err
	}
	return sv.commit(ctx, store.Changes{Results: results, Loose: true})
}

// results gives the results that came to a tree, and brings what they name.
func (rs *caches) results(ctx context.Context, sv *saving, t digest.Digest) (map[digest.Digest]store.Record, error) {
	rs.mu.Lock()
	hits := rs.hits[t]
	delete(rs.hits, t)
	rs.mu.Unlock()
	results := map[digest.Digest]store.Record{}
	for _, h := range hits {
		if err := sv.bodies(ctx, h.record.Blobs); err != nil {
			return nil, err
		}
		results[h.key] = h.record
	}
	return results, nil
}

// bodies brings those contents that the store does not have, if there is a cache.
func (s *saving) bodies(ctx context.Context, ds []digest.Digest) error {
	rs := s.engine.caches
	if rs == nil || len(ds) == 0 {
		return nil
	}
	missing, err := s.engine.lacking(ctx, ds)
	if err != nil {
		return err
	}
	missing = s.ingest.Lacking(missing)
	return rs.bodies(ctx, s.ingest, missing)
}
