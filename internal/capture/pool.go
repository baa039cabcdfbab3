package capture

import (
	"context"
	"sync"
)

// job is a piece of a walk. It may push others. The pool holds dir from when it
// is given the job until the job is done, or will never be.
type job struct {
	dir *openDir
	run func(ctx context.Context, w *worker) error
}

// worker is what one goroutine of a pool works with.
type worker struct {
	buf   []byte // for lists, values of extended attributes, targets
	large []byte // for bodies; nil until there is a large one
}

const (
	bufSize  = 64 << 10  // the most that Linux has for an extended attribute
	readSize = 256 << 10 // how much of a file is read at once
)

func newWorker() *worker { return &worker{buf: make([]byte, bufSize)} }

// room gives a buffer for reading a file of that size.
func (w *worker) room(size uint64) []byte {
	if size <= uint64(len(w.buf)) {
		return w.buf
	}
	if w.large == nil {
		w.large = make([]byte, readSize)
	}
	return w.large
}

// pool runs jobs, the latest first: so a walk goes deep before it goes wide, and
// few directories are open at a time.
type pool struct {
	mu     sync.Mutex
	more   sync.Cond
	stack  []job
	active int
	err    error
}

func newPool() *pool {
	p := &pool{}
	p.more.L = &p.mu
	return p
}

// push adds jobs; the first of them is run first.
func (p *pool) push(jobs ...job) {
	if len(jobs) == 0 {
		return
	}
	p.mu.Lock()
	for i := len(jobs) - 1; i >= 0; i-- {
		jobs[i].dir.hold()
		p.stack = append(p.stack, jobs[i])
	}
	p.mu.Unlock()
	if len(jobs) == 1 {
		p.more.Signal()
	} else {
		p.more.Broadcast()
	}
}

// run runs all jobs by at most n goroutines, and ends when none is left or one
// has failed.
func (p *pool) run(ctx context.Context, n int) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	for range n {
		all.Go(func() {
			p.work(ctx, cancel)
		})
	}
	all.Wait()
	for _, j := range p.stack {
		j.dir.release()
	}
	return p.err
}

func (p *pool) work(ctx context.Context, cancel func()) {
	var w *worker
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		for len(p.stack) == 0 && p.active > 0 && p.err == nil {
			p.more.Wait()
		}
		if len(p.stack) == 0 || p.err != nil {
			p.more.Broadcast()
			return
		}
		last := len(p.stack) - 1
		j := p.stack[last]
		p.stack[last] = job{}
		p.stack = p.stack[:last]
		p.active++
		p.mu.Unlock()
		if w == nil {
			w = newWorker()
		}
		err := ctx.Err()
		if err == nil {
			err = j.run(ctx, w)
		}
		j.dir.release()
		p.mu.Lock()
		p.active--
		if err != nil && p.err == nil {
			p.err = err
			cancel()
		}
	}
}
