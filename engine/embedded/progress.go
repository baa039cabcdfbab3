package embedded

import (
	"io"
	"sync"
	"time"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/internal/capture"
)

// every is how often progress is told.
const every = 100 * time.Millisecond

// progress tells a sink how far things are.
type progress struct {
	sink engine.Sink
	step int
}

func (s *step) progress() progress {
	return progress{sink: engine.SinkFunc(s.event), step: s.number}
}

// progressOf tells a sink of things that are no step. A nil sink is told nothing.
func progressOf(s engine.Sink) progress {
	return progress{sink: engine.SinkFunc(newEvents(s).send), step: -1}
}

// Event passes an event on, so that progress is a sink itself.
func (p progress) Event(e engine.Event) {
	if p.sink != nil {
		switch g := e.(type) {
		case engine.Progress:
			if g.Step < 0 {
				g.Step = p.step
			}
			e = g
		case engine.Written:
			if g.Step < 0 {
				g.Step = p.step
			}
			e = g
		}
		p.sink.Event(e)
	}
}

// meter counts bytes and tells of them now and then.
type meter struct {
	to progress

	mu   sync.Mutex
	now  engine.Progress
	told time.Time
}

func (p progress) meter(what string, total int64) *meter {
	return &meter{to: p, now: engine.Progress{Step: p.step, What: what, Total: total}, told: time.Now()}
}

func (m *meter) add(bytes, count int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now.Done += bytes
	m.now.Count += count
	if now := time.Now(); now.Sub(m.told) >= every {
		m.told = now
		m.to.Event(m.now)
	}
}

// captured tells of a capture.
func (p progress) captured(what string) func(capture.Stats) {
	m := p.meter(what, 0)
	return func(s capture.Stats) {
		m.mu.Lock()
		done, count := s.Bytes-m.now.Done, s.Entries-m.now.Count
		m.mu.Unlock()
		m.add(done, count)
	}
}

// reader tells of what is read.
func (p progress) reader(what string, r io.Reader) io.Reader {
	return &meteredReader{r, p.meter(what, 0)}
}

type meteredReader struct {
	io.Reader
	meter *meter
}

func (r *meteredReader) Read(b []byte) (int, error) {
	n, err := r.Reader.Read(b)
	r.meter.add(int64(n), 0)
	return n, err
}

// wrote tells what a commit brought into the store.
func (p progress) wrote(sv *saving) {
	if w := sv.ingest.Written(); w.Blobs.Bytes > 0 || w.Nodes.Bytes > 0 {
		p.Event(engine.Written{Step: p.step, Blobs: w.Blobs.Bytes, Nodes: w.Nodes.Bytes})
	}
}

// leftOut tells of sockets, which a tar cannot hold.
func (p progress) leftOut(sockets []string) {
	if len(sockets) > 0 {
		p.Event(engine.LeftOut{Paths: sockets, Why: "a tar cannot hold sockets"})
	}
}
