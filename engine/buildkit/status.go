package buildkit

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/solver/errdefs"
	godigest "github.com/opencontainers/go-digest"

	"github.com/inlaybuild/inlay/internal/shim"
)

// watches is who wants to know what goes on at a daemon.
type watches struct {
	// unread is told of each cache that cannot be read, and why.
	unread func(cache, why string)

	mu   sync.Mutex
	all  map[godigest.Digest]map[*watch]bool
	done map[godigest.Digest]bool // vertices that were complete in this session
	said map[godigest.Digest]*said
}

// said is the end of what a vertex says that is not complete, or failed.
type said struct {
	text   []byte
	failed string // why; "" before it is complete
}

// watch receives what goes on with one vertex.
type watch struct {
	of     *watches
	vertex godigest.Digest
	output func(stderr bool, b []byte)

	again bool          // the vertex was complete before, in this session
	ended chan struct{} // the vertex is complete
	once  sync.Once

	// The mutex of watches guards these.
	cached  bool
	started time.Time // at first, by the daemon's clock; zero if it does not tell
}

func newWatches(unread func(cache, why string)) *watches {
	return &watches{unread: unread, all: map[godigest.Digest]map[*watch]bool{}, done: map[godigest.Digest]bool{}, said: map[godigest.Digest]*said{}}
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

// wasCached waits until it is told that the vertex is complete, and tells whether its
// result was there. A daemon tells that once in a session. Of a result that it fetches
// from a cache it may tell first that it is complete, and then that it was there; but
// what ended such a result began before the vertex did, by the same clock.
// Began is when its process was executed, zero if it was not.
func (w *watch) wasCached(ctx context.Context, began time.Time) bool {
	if !w.again {
		select {
		case <-w.ended:
		case <-ctx.Done():
		case <-time.After(late):
		}
	}
	select {
	case <-w.ended:
	default:
		return w.again // what is carried out again is told before there is a result
	}
	w.of.mu.Lock()
	defer w.of.mu.Unlock()
	return w.cached || !began.IsZero() && began.Before(w.started)
}

// importing is what a daemon's progress calls the reading of a cache, with its name
// behind it. The results that a cache has are looked for without it when it fails.
const importing = "importing cache manifest from "

// status takes what a daemon tells.
func (w *watches) status(s *client.SolveStatus) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, l := range s.Logs {
		w.hear(l)
		for one := range w.all[l.Vertex] {
			if one.output != nil {
				one.output(l.Stream == 2, l.Data)
			}
		}
	}
	for _, v := range s.Vertexes {
		if v.Started != nil {
			for one := range w.all[v.Digest] {
				if one.started.IsZero() {
					one.started = *v.Started
				}
			}
		}
		if v.Completed == nil {
			continue
		}
		if cache, ok := strings.CutPrefix(v.Name, importing); ok && v.Error != "" && !w.done[v.Digest] {
			w.unread(cache, v.Error)
		}
		w.done[v.Digest] = true
		if v.Error == "" {
			delete(w.said, v.Digest)
		} else {
			w.at(v.Digest).failed = v.Error
		}
		for one := range w.all[v.Digest] {
			one.cached = one.cached || v.Cached
			one.once.Do(func() { close(one.ended) })
		}
	}
}

// at gives what a vertex says; mu is held.
func (w *watches) at(vertex godigest.Digest) *said {
	if w.said[vertex] == nil {
		w.said[vertex] = &said{}
	}
	return w.said[vertex]
}

// hear keeps the end of what a vertex says; mu is held.
func (w *watches) hear(l *client.VertexLog) {
	const most = 4 << 10
	said := w.at(l.Vertex)
	said.text = append(said.text, l.Data...)
	said.text = said.text[max(0, len(said.text)-most):]
}

// failure gives what one of the vertices said that failed, and why it did. A daemon
// may tell that later than that there is no result.
func (w *watches) failure(ctx context.Context, vertices ...godigest.Digest) (text, why string) {
	for range 50 {
		w.mu.Lock()
		for _, v := range vertices {
			if said := w.said[v]; said != nil && said.failed != "" {
				text, why = strings.TrimSpace(string(said.text)), said.failed
			}
		}
		w.mu.Unlock()
		if why != "" || ctx.Err() != nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	return text, why
}

// explained gives the error of making what a definition says in the words of what
// failed. Some errors of daemons are about their own books alone.
func (w *watches) explained(ctx context.Context, err error, def *llb.Definition) error {
	var at *errdefs.VertexError
	if s := err.Error(); strings.Contains(s, "link /") && strings.Contains(s, "/snapshots/") && strings.HasSuffix(s, "no such file or directory") {
		return fmt.Errorf("a layer of an image links to a file of a lower layer, and this daemon does not unpack that: import it on this machine, with inlay import, and begin with its name: %w", err)
	}
	lost := strings.Contains(err.Error(), "already released")
	var all []godigest.Digest
	switch {
	case errors.As(err, &at):
		all = []godigest.Digest{godigest.Digest(at.Digest)}
	case lost:
		for _, op := range def.Def {
			all = append(all, godigest.FromBytes(op))
		}
	default:
		return err
	}
	text, why := w.failure(ctx, all...)
	if lost && why != "" {
		err = fmt.Errorf("%s (%w)", why, err)
	}
	if text == "" {
		return err
	}
	return fmt.Errorf("%s: %w", strings.TrimPrefix(text, shim.Program+": "), err)
}

// notStarted gives why the container of a vertex that failed could not be started,
// in runc's words; ok is false if it was.
func (w *watches) notStarted(ctx context.Context, vertex godigest.Digest) (detail string, ok bool) {
	text, _ := w.failure(ctx, vertex)
	_, detail, ok = strings.Cut(text, "runc run failed: ")
	return detail, ok
}
