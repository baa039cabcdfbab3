package buildkit

import (
	"context"
	"sync"
	"time"

	"github.com/moby/buildkit/client"
	godigest "github.com/opencontainers/go-digest"
)

// watches is who wants to know what goes on at a daemon.
type watches struct {
	mu   sync.Mutex
	all  map[godigest.Digest]map[*watch]bool
	done map[godigest.Digest]bool // vertices that were complete in this session
}

// watch receives what goes on with one vertex.
type watch struct {
	of     *watches
	vertex godigest.Digest
	output func(stderr bool, b []byte)

	again  bool          // the vertex was complete before, in this session
	ended  chan struct{} // the vertex is complete
	once   sync.Once
	cached bool // guarded by the mutex of watches
}

func newWatches() *watches {
	return &watches{all: map[godigest.Digest]map[*watch]bool{}, done: map[godigest.Digest]bool{}}
}

// watch watches a vertex until stop.
func (w *watches) watch(vertex godigest.Digest, output func(bool, []byte)) *watch {
	one := &watch{of: w, vertex: vertex, output: output, ended: make(chan struct{})}
	w.mu.Lock()
	defer w.mu.Unlock()
	one.again = w.done[vertex]
	if w.all[vertex] == nil {
		w.all[vertex] = map[*watch]bool{}
	}
	w.all[vertex][one] = true
	return one
}

// stop ends it.
func (w *watch) stop() {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	delete(w.of.all[w.vertex], w)
	if len(w.of.all[w.vertex]) == 0 {
		delete(w.of.all, w.vertex)
	}
}

// late is how long what a daemon tells may come after the result.
const late = 10 * time.Second

// wasCached waits until it is told that the vertex is complete, and tells whether
// its result was there. A daemon tells that once in a session. Of a result that it
// fetches from a cache it may tell first that it is complete and then that it was
// there, so a process that seems to have said nothing, though it did, is doubted.
func (w *watch) wasCached(ctx context.Context, doubtful bool) bool {
	if !w.again {
		select {
		case <-w.ended:
		case <-ctx.Done():
		case <-time.After(late):
		}
	}
	for wait := time.Millisecond; doubtful && !w.told() && wait < late/50; wait *= 2 {
		time.Sleep(wait)
	}
	select {
	case <-w.ended:
		return w.told()
	default:
		return w.again // what is carried out again is told before there is a result
	}
}

// told tells whether it was told that the result was there.
func (w *watch) told() bool {
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	return w.cached
}

// status takes what a daemon tells.
func (w *watches) status(s *client.SolveStatus) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range s.Logs {
		for one := range w.all[l.Vertex] {
			if one.output != nil {
				one.output(l.Stream == 2, l.Data)
			}
		}
	}
	for _, v := range s.Vertexes {
		if v.Completed == nil {
			continue
		}
		w.done[v.Digest] = true
		for one := range w.all[v.Digest] {
			one.cached = one.cached || v.Cached
			one.once.Do(func() { close(one.ended) })
		}
	}
}
