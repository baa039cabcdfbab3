package layer

import (
	"io"
	"sync"
)

// readAhead reads a stream in a goroutine of its own, so that decompressing it
// and taking it apart are done side by side.
type readAhead struct {
	full  chan chunk
	free  chan []byte
	stop  chan struct{}
	ended sync.WaitGroup
	rest  []byte // of the chunk that is being given away
	whole []byte // that chunk
	err   error
}

type chunk struct {
	b   []byte
	n   int
	err error
}

const (
	aheadChunks = 8
	aheadSize   = 256 << 10
	firstSize   = 16 << 10 // many layers are small
)

func newReadAhead(r io.Reader) *readAhead {
	a := &readAhead{
		full: make(chan chunk, aheadChunks),
		free: make(chan []byte, aheadChunks),
		stop: make(chan struct{}),
	}
	for range aheadChunks {
		a.free <- nil
	}
	a.ended.Go(func() { a.fill(r) })
	return a
}

func (a *readAhead) fill(r io.Reader) {
	for size := firstSize; ; size = aheadSize {
		var b []byte
		select {
		case b = <-a.free:
		case <-a.stop:
			return
		}
		if len(b) < size {
			b = make([]byte, size)
		}
		n, err := readSome(r, b)
		a.full <- chunk{b, n, err} // there are as many places as chunks
		if err != nil {
			return
		}
	}
}

// readSome fills most of b, unless r ends.
func readSome(r io.Reader, b []byte) (n int, err error) {
	for n < len(b)/2 && err == nil {
		var m int
		m, err = r.Read(b[n:])
		n += m
	}
	return n, err
}

// Read gives the next bytes.
func (a *readAhead) Read(b []byte) (int, error) {
	for len(a.rest) == 0 {
		if a.err != nil {
			return 0, a.err
		}
		if a.whole != nil {
			a.free <- a.whole
			a.whole = nil
		}
		c := <-a.full
		a.whole, a.rest, a.err = c.b, c.b[:c.n], c.err
	}
	n := copy(b, a.rest)
	a.rest = a.rest[n:]
	return n, nil
}

// close ends the reading, and waits until a read that is under way is over.
func (a *readAhead) close() {
	close(a.stop)
	a.ended.Wait()
}
