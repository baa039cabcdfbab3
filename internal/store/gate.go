package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	turnName  = ".turn"
	sweepName = ".sweep"
	gcName    = ".gc"

	// overlapping is how long goroutines may keep the shared lock alive between
	// them before newcomers wait for it to be free once.
	overlapping = 20 * time.Millisecond
)

// gate keeps looking at what exists and removing it apart. Who is going to rely
// on something is inside, with a shared lock, while it looks and writes its
// lease; the collector removes a batch with an exclusive lock. Locks of the
// kernel are not fair, so everybody passes a second lock, the turn, first: the
// collector holds it while it waits, and so waits only for who is inside.
type gate struct {
	turn, sweep *os.File
	wait        time.Duration

	mu     sync.Mutex
	inside int
	since  time.Time
	closed chan struct{} // not nil while newcomers wait for inside to be 0
	stay   bool          // never give the shared lock back: the lease cannot be written
}

func openGate(dir string, wait time.Duration) (*gate, error) {
	turn, err := os.Open(filepath.Join(dir, turnName))
	if err != nil {
		return nil, err
	}
	sweep, err := os.Open(filepath.Join(dir, sweepName))
	if err != nil {
		return nil, errors.Join(err, turn.Close())
	}
	return &gate{turn: turn, sweep: sweep, wait: wait}, nil
}

func (g *gate) close() error { return errors.Join(g.turn.Close(), g.sweep.Close()) }

// enter takes the shared lock; leave gives it back. Work inside must be short.
func (g *gate) enter(ctx context.Context) error {
	for {
		g.mu.Lock()
		if g.inside > 0 && g.closed == nil && !g.stay && time.Since(g.since) > overlapping {
			g.closed = make(chan struct{})
		}
		if g.closed == nil {
			break
		}
		closed := g.closed
		g.mu.Unlock()
		select {
		case <-closed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	defer g.mu.Unlock()
	if g.inside == 0 && !g.stay {
		if err := flock(ctx, g.turn, unix.LOCK_SH, g.wait); err != nil {
			return err
		}
		err := flock(ctx, g.sweep, unix.LOCK_SH, g.wait)
		if err := errors.Join(err, unlock(g.turn)); err != nil {
			return err
		}
		g.since = time.Now()
	}
	g.inside++
	return nil
}

func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside--
	if g.inside > 0 {
		return
	}
	if !g.stay {
		unlock(g.sweep) // cannot fail on an open file
	}
	if g.closed != nil {
		close(g.closed)
		g.closed = nil
	}
}

// remain keeps the shared lock until the store is closed. The caller is inside.
func (g *gate) remain() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stay = true
}

// exclude calls f when nobody is inside, and lets nobody in meanwhile. It tries
// for as long as the gate waits, then gives ErrBusy. Afterwards it rests until
// everybody who waited has looked again.
func (s *Store) exclude(ctx context.Context, f func() error) error {
	err := s.excludeOnce(ctx, f)
	time.Sleep(2 * longestPause)
	return err
}

func (s *Store) excludeOnce(ctx context.Context, f func() error) error {
	g, err := openGate(s.path("leases"), s.opts.Wait) // its own open files: it also excludes this Store
	if err != nil {
		return err
	}
	defer g.close()
	const turn = time.Second // longer would stop every other process beside one that hangs
	for start := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		if err = flock(ctx, g.turn, unix.LOCK_EX, g.wait); err != nil {
			return err
		}
		err = flock(ctx, g.sweep, unix.LOCK_EX, turn)
		if err == nil {
			return f() // closing g unlocks
		}
		if err := unlock(g.turn); err != nil {
			return err
		}
		if !errors.Is(err, ErrBusy) || time.Since(start) > g.wait {
			return err
		}
	}
}
