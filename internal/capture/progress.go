package capture

import (
	"sync"
	"sync/atomic"
	"time"
)

// counter counts for Stats, and tells of progress.
type counter struct {
	entries, files, bytes        atomic.Int64
	readFiles, readBytes, cached atomic.Int64

	tell func(Stats)
	mu   sync.Mutex
	last time.Time
}

// often is how often progress is told.
const often = 100 * time.Millisecond

func (c *counter) stats() Stats {
	return Stats{
		Entries: c.entries.Load(), Files: c.files.Load(), Bytes: c.bytes.Load(),
		ReadFiles: c.readFiles.Load(), ReadBytes: c.readBytes.Load(), Cached: c.cached.Load(),
	}
}

// file counts a regular file.
func (c *counter) file(size int64) {
	c.files.Add(1)
	c.bytes.Add(size)
}

// read counts bytes that were read.
func (c *counter) read(n int64) {
	c.readBytes.Add(n)
	c.tick()
}

// tick tells of progress, if it is time and nobody else does.
func (c *counter) tick() {
	if c.tell == nil || !c.mu.TryLock() {
		return
	}
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.last) >= often {
		c.last = now
		c.tell(c.stats())
	}
}

// end tells the final numbers.
func (c *counter) end() Stats {
	s := c.stats()
	if c.tell != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.tell(s)
	}
	return s
}
