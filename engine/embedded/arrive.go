package embedded

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/inlaybuild/inlay/tree"
)

// arrivals are contents of new files on their way into the store. What a remote makes
// does not wait for the disk of this machine: the graph has the contents in memory, where
// they are read meanwhile. Who needs them in the store waits for [Engine.arrived].
//
// One that could not be written is gone. Who needs it is told why, nobody else is, and
// the next resolution of its file tries again.
type arrivals struct {
	mu     sync.Mutex
	list   []*arrival
	failed map[digest.Digest]error
	ctx    context.Context // of all that write; nil before the first one
	stop   context.CancelFunc
}

// arrival is contents that come into the store by one commit.
type arrival struct {
	contents map[digest.Digest][]byte
	done     chan struct{}
	err      error // when done is closed
}

// arrive begins to write contents into the store.
func (e *Engine) arrive(contents map[digest.Digest][]byte) *arrival {
	as, a := &e.arrivals, &arrival{contents: contents, done: make(chan struct{})}
	as.mu.Lock()
	defer as.mu.Unlock()
	if as.ctx == nil {
		as.ctx, as.stop = context.WithCancel(context.Background())
		as.failed = map[digest.Digest]error{}
	}
	as.list = append(as.list, a)
	for d := range contents {
		delete(as.failed, d)
	}
	go func(ctx context.Context) {
		defer close(a.done)
		a.err = a.keep(ctx, e.store)
		as.end(a)
	}(as.ctx)
	return a
}

// keep writes the contents.
func (a *arrival) keep(ctx context.Context, s *store.Store) error {
	in, err := s.NewIngest(ctx)
	if err != nil {
		return err
	}
	for d, b := range a.contents {
		got, _, err := in.PutBytes(ctx, b)
		if err == nil && got != d {
			err = errors.New("the content of a new file was changed after it was given")
		}
		if err != nil {
			return errors.Join(err, in.Abort())
		}
	}
	return in.Commit(ctx, store.Changes{})
}

// end takes an arrival that has ended from the list.
func (as *arrivals) end(a *arrival) {
	as.mu.Lock()
	defer as.mu.Unlock()
	var list []*arrival // those who wait have the old one
	for _, other := range as.list {
		if other != a {
			list = append(list, other)
		}
	}
	as.list = list
	if a.err != nil {
		for d := range a.contents {
			as.failed[d] = a.err
		}
	}
}

// wait waits for the end of an arrival.
func (a *arrival) wait(ctx context.Context) error {
	select {
	case <-a.done:
		return a.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// find gives a content that is on its way.
func (as *arrivals) find(d digest.Digest) ([]byte, bool) {
	as.mu.Lock()
	defer as.mu.Unlock()
	for _, a := range as.list {
		if b, ok := a.contents[d]; ok {
			return b, true
		}
	}
	return nil, false
}

// failure gives why a content could not be written; nil if it was not tried.
func (as *arrivals) failure(d digest.Digest) error {
	as.mu.Lock()
	defer as.mu.Unlock()
	return as.failed[d]
}

// anyFailure gives why some content could not be written; nil if all were.
func (as *arrivals) anyFailure() error {
	as.mu.Lock()
	defer as.mu.Unlock()
	for _, err := range as.failed {
		return err
	}
	return nil
}

// close stops all that write.
func (as *arrivals) close() {
	as.mu.Lock()
	list, stop := as.list, as.stop
	as.mu.Unlock()
	if stop != nil {
		stop()
	}
	for _, a := range list {
		<-a.done
	}
}

// arrived waits until no contents are on their way.
func (e *Engine) arrived(ctx context.Context) error {
	e.arrivals.mu.Lock()
	list := e.arrivals.list
	e.arrivals.mu.Unlock()
	for _, a := range list {
		if err := a.wait(ctx); err != nil && ctx.Err() != nil {
			return err
		}
	}
	return nil
}

// arrivedOf waits until the store has all contents of new files that a tree has.
func (e *Engine) arrivedOf(ctx context.Context, t tree.Tree) error {
	if err := e.arrived(ctx); err != nil {
		return err
	}
	if e.arrivals.anyFailure() == nil {
		return nil
	}
	for it, err := range tree.Walk(ctx, t, tree.WalkOptions{}) {
		if err != nil {
			return err
		}
		if f, ok := it.Entry.(tree.File); ok {
			if err := e.arrivals.failure(f.Content); err != nil {
				return fmt.Errorf("%s could not be written: %w", it.Path, err)
			}
		}
	}
	return nil
}

// commitArrived commits what may name contents that are on their way.
func (e *Engine) commitArrived(ctx context.Context, commit func(context.Context, store.Changes) error, ch store.Changes) error {
	if err := e.arrived(ctx); err != nil {
		return err
	}
	err := commit(ctx, ch)
	if errors.Is(err, store.ErrIncomplete) {
		if why := e.arrivals.anyFailure(); why != nil {
			return fmt.Errorf("%w; a new file could not be written: %w", err, why)
		}
	}
	return err
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

// keepContents has the contents of all new files that the store does not have arrive
// there, by one commit, and waits for them unless there is a remote.
func (r *run) keepContents(ctx context.Context, n *graph.Node) error {
	contents := map[digest.Digest][]byte{}
	var all []digest.Digest
	for m := range n.All() {
		f, ok := m.Op().(graph.NewFile)
		if !ok || len(f.Content) == 0 {
			continue
		}
		d := r.contentOf(m, f)
		if _, ok := contents[d]; !ok {
			contents[d] = f.Content
			all = append(all, d)
		}
	}
	missing, err := r.engine.lacking(ctx, all)
	if err != nil || len(missing) == 0 {
		return err
	}
	arriving := make(map[digest.Digest][]byte, len(missing))
	for _, d := range missing {
		arriving[d] = contents[d]
	}
	a := r.engine.arrive(arriving)
	if r.engine.where == nil {
		if err := a.wait(ctx); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for d, b := range arriving {
		r.brought[d] = int64(len(b))
	}
	return nil
}

// contentOf gives the digest of the content of a new file.
func (r *run) contentOf(n *graph.Node, op graph.NewFile) digest.Digest {
	r.mu.Lock()
	d, ok := r.contents[n]
	r.mu.Unlock()
	if !ok {
		d = digest.Of(op.Content)
		r.mu.Lock()
		r.contents[n] = d
		r.mu.Unlock()
	}
	return d
}
