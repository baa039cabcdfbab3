package embedded

import (
	"io"
	"sync"
)

// aside writes to a writer in a goroutine of its own, so that who writes need
// not wait: for digests and copies of what streams by. Errors come with Close.
type aside struct {
	w     io.Writer
	full  chan []byte
	free  chan []byte
	ended sync.WaitGroup
	err   error
	open  bool
}

const (
	asideChunks = 8
	asideSize   = 256 << 10
)

func newAside(w io.Writer) *aside {
	a := &aside{w: w, full: make(chan []byte, asideChunks), free: make(chan []byte, asideChunks), open: true}
	for range asideChunks {
		a.free <- nil
	}
	a.ended.Go(a.run)
	return a
}

func (a *aside) run() {
	for b := range a.full {
		if a.err == nil {
			_, a.err = a.w.Write(b)
		}
		a.free <- b
	}
}

// Write takes a copy of b.
func (a *aside) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		n := min(len(rest), asideSize)
		buf := append((<-a.free)[:0], rest[:n]...)
		a.full <- buf
		rest = rest[n:]
	}
	return len(b), nil
}

// Close waits until all is written. It may be called again.
func (a *aside) Close() error {
	if a.open {
		a.open = false
		close(a.full)
		a.ended.Wait()
	}
	return a.err
}
