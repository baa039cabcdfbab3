package embedded

import (
	"context"
	"errors"
	"maps"
	"sync"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/store"
)

// arrivals are contents of new files on their way into the store. The graph has them in
// memory, where they are read meanwhile: what is only composed, and what goes to a
// remote, does not wait for the disk. Who needs them in the store waits for
// [Engine.arrived].
type arrivals struct {
	mu       sync.Mutex
	list     []*arrival
	contents map[digest.Digest][]byte // of all in the list
	writing  sync.WaitGroup
}

// arrival is contents that come into the store by one commit.
type arrival struct {
	contents map[digest.Digest][]byte

	mu   sync.Mutex
	kept bool
}

// keep writes the contents, unless they are written.
func (a *arrival) keep(ctx context.Context, s *store.Store) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.kept {
		return nil
	}
	in, err := s.NewIngest(ctx)
	if err != nil {
		return err
	}
	for _, b := range a.contents {
		if _, _, err := in.PutBytes(ctx, b); err != nil {
			return errors.Join(err, in.Abort())
		}
	}
	err = in.Commit(ctx, store.Changes{})
	a.kept = err == nil
	return err
}

// arrive begins to write contents into the store.
func (e *Engine) arrive(ctx context.Context, contents map[digest.Digest][]byte) {
	as, a := &e.arrivals, &arrival{contents: contents}
	as.mu.Lock()
	defer as.mu.Unlock()
	as.list = append(as.list, a)
	if as.contents == nil {
		as.contents = map[digest.Digest][]byte{}
	}
	maps.Copy(as.contents, contents)
	as.writing.Go(func() {
		if a.keep(context.WithoutCancel(ctx), e.store) == nil {
			as.end(a)
		} // else who waits for it tries again
	})
}

// end forgets an arrival that is in the store.
func (as *arrivals) end(a *arrival) {
	as.mu.Lock()
	defer as.mu.Unlock()
	for i, other := range as.list {
		if other == a {
			as.list = append(as.list[:i:i], as.list[i+1:]...)
			for d := range a.contents {
				delete(as.contents, d)
			}
			return
		}
	}
}

// find gives a content that is on its way.
func (as *arrivals) find(d digest.Digest) ([]byte, bool) {
	as.mu.Lock()
	defer as.mu.Unlock()
	b, ok := as.contents[d]
	return b, ok
}

// arrived waits until the store has all contents that are on their way. What could not
// be written is tried again.
func (e *Engine) arrived(ctx context.Context) error {
	e.arrivals.mu.Lock()
	list := e.arrivals.list
	e.arrivals.mu.Unlock()
	for _, a := range list {
		if err := a.keep(ctx, e.store); err != nil {
			return err
		}
		e.arrivals.end(a)
	}
	return nil
}

// keepContents has the contents of all new files that the store does not have arrive
// there, by one commit.
func (r *run) keepContents(ctx context.Context, n *graph.Node) error {
	r.keeping.Lock()
	defer r.keeping.Unlock()
	of := map[*graph.Node]digest.Digest{}
	contents := map[digest.Digest][]byte{}
	var all []digest.Digest
	for m := range n.All() {
		f, ok := m.Op().(graph.NewFile)
		if _, known := r.contentOf(m); !ok || known || len(f.Content) == 0 {
			continue
		}
		d := digest.Of(f.Content)
		of[m] = d
		if _, ok := contents[d]; !ok {
			contents[d] = f.Content
			all = append(all, d)
		}
	}
	if len(of) == 0 {
		return nil
	}
	missing, err := r.engine.lacking(ctx, all)
	if err != nil {
		return err
	}
	arriving := make(map[digest.Digest][]byte, len(missing))
	for _, d := range missing {
		arriving[d] = contents[d]
	}
	if len(arriving) > 0 {
		r.engine.arrive(ctx, arriving)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	maps.Copy(r.contents, of)
	for d, b := range arriving {
		r.brought[d] = int64(len(b))
	}
	return nil
}

// contentOf gives the digest of the content of a new file that is kept.
func (r *run) contentOf(n *graph.Node) (digest.Digest, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	d, ok := r.contents[n]
	return d, ok
}

// lacking gives those of some contents that neither are in the store nor on their way.
func (e *Engine) lacking(ctx context.Context, ds []digest.Digest) ([]digest.Digest, error) {
	var rest []digest.Digest
	for _, d := range ds {
		if _, ok := e.arrivals.find(d); !ok {
			rest = append(rest, d)
		}
	}
	return e.store.Missing(ctx, rest)
}
