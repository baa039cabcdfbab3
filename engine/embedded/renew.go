package embedded

import (
	"context"
	"errors"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/graph"
)

// A result that came from a cache may turn out to be lost: a step needs a part of it,
// and the cache, or the registry that has it, is gone. Then what came from caches is
// forgotten, and the inputs of the step are resolved again; the cache was given up, so
// they are carried out. Who reads a result later and finds it lost does the same by
// resolving its node again.

// overcome carries the op of a step out again, with inputs that are made again, as
// long as what it fails by is the loss of a cache.
func (s *step) overcome(ctx context.Context, res engine.Result, err error) (engine.Result, error) {
	rs := s.engine().caches
	for range rs.count() {
		if !errors.Is(err, engine.ErrLost) || ctx.Err() != nil {
			break
		}
		s.run.forgetLost()
		s.run.plan(s.node)
		var in []engine.Result
		if in, err = s.run.inputs(ctx, s.node); err == nil {
			s.cached = false
			res, err = s.resolve(ctx, in)
		}
	}
	return res, err
}

// count is how many caches there are.
func (rs *caches) count() int {
	if rs == nil {
		return 0
	}
	return len(rs.list)
}

// forgetLost forgets what came from caches that were given up, and what was made of
// it. What still goes on stays.
func (r *run) forgetLost() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.found) == 0 {
		return
	}
	below := map[*graph.Node]bool{}
	for n := range r.root.All() { // inputs first
		below[n] = r.found[n] != nil && r.engine.caches.isGone(r.found[n])
		for _, in := range n.Inputs() {
			below[n] = below[n] || below[in]
		}
		p, ok := r.pending[n]
		if !below[n] || !ok {
			continue
		}
		select {
		case <-p.done:
			delete(r.pending, n)
			delete(r.numbers, n)
			delete(r.found, n)
		default:
		}
	}
}
