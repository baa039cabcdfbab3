package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"github.com/inlaybuild/inlay/digest"
	"github.com/ncruces/go-sqlite3"
	"golang.org/x/sys/unix"
)

// RunState says how a run or a step stands. Further words are the caller's.
type RunState string

// The states that the store itself gives.
const (
	Running RunState = "running"
	Crashed RunState = "crashed" // running as written, but its process is gone
)

// RunInfo is one execution of a graph, as the store remembers it.
type RunInfo struct {
	Name    string // sorts by time
	Started time.Time
	Ended   time.Time // zero while running, and of a crashed run
	State   RunState
	Data    []byte
}

// Step is a node of a run. A later Step of the same index replaces it.
type Step struct {
	Index   int
	Name    string
	State   RunState
	Before  digest.Digest // tree it began with; zero for none
	After   digest.Digest // tree it made; zero for none
	Started time.Time
	Ended   time.Time
	Data    []byte
}

// Run is a run that goes on. Its kernel lock tells others so.
type Run struct {
	s    *Store
	name string
	dir  *os.File

	mu    sync.Mutex
	ended bool
}

// NewRun records that a run begins. The records of runs survive the death of
// the process, but the last ones may be lost in a power cut.
func (s *Store) NewRun(ctx context.Context, data []byte) (*Run, error) {
	if err := s.writable(); err != nil {
		return nil, err
	}
	var name string
	var now time.Time
	dir, _, err := makeOwned(func() string {
		now = s.opts.Now()
		name = now.UTC().Format("20060102-150405.000000-") + rand.Text()[:4]
		return s.path("logs", name)
	})
	if err != nil {
		return nil, fmt.Errorf("new run: %w", err)
	}
	err = s.db.write(ctx, false, func(c *conn) error {
		return c.query("INSERT INTO runs (run, started, ended, state, data) VALUES (?, ?, 0, ?, ?)",
			func(st *sqlite3.Stmt) error {
				return errors.Join(st.BindText(1, name), st.BindInt64(2, now.UnixNano()),
					st.BindText(3, string(Running)), bindBytes(st, 4, data))
			}, nil)
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("new run: %w", err), os.Remove(dir.Name()), dir.Close())
	}
	return &Run{s: s, name: name, dir: dir}, nil
}

func bindBytes(st *sqlite3.Stmt, at int, b []byte) error {
	if b == nil {
		b = []byte{}
	}
	return st.BindBlob(at, b)
}

// Name is the run's name.
func (r *Run) Name() string { return r.name }

// PutStep is [Run.PutSteps] for one step.
func (r *Run) PutStep(ctx context.Context, step Step) error { return r.PutSteps(ctx, []Step{step}) }

// PutSteps records steps, all or none, with trees that are committed already;
// they are kept as long as the run. It costs about 0.1 milliseconds.
func (r *Run) PutSteps(ctx context.Context, steps []Step) error {
	var trees []digest.Digest
	for _, step := range steps {
		for _, d := range []digest.Digest{step.Before, step.After} {
			if !d.IsZero() {
				trees = append(trees, d)
			}
		}
	}
	if un := r.s.lease.unheld(asNode, trees); len(un) > 0 {
		missing, err := r.s.MissingNodes(ctx, un)
		if err != nil {
			return err
		}
		if len(missing) > 0 {
			return fmt.Errorf("steps of run %s: %w: tree %s", r.name, ErrIncomplete, missing[0])
		}
	}
	return r.s.db.write(ctx, false, func(c *conn) error {
		for _, step := range steps {
			if err := r.putStep(c, step); err != nil {
				return err
			}
		}
		return nil
	})
}

func (r *Run) putStep(c *conn, step Step) error {
	pair := step.Before.Append(nil)
	pair = step.After.Append(pair)
	return c.query("INSERT OR REPLACE INTO steps (run, step, name, state, started, ended, trees, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
		func(st *sqlite3.Stmt) error {
			return errors.Join(st.BindText(1, r.name), st.BindInt(2, step.Index), st.BindText(3, step.Name),
				st.BindText(4, string(step.State)), st.BindInt64(5, nanos(step.Started)), st.BindInt64(6, nanos(step.Ended)),
				st.BindBlob(7, pair), bindBytes(st, 8, step.Data))
		}, nil)
}

// Log makes the file for the output of a step, empty. Its format is the caller's.
func (r *Run) Log(index int) (*os.File, error) {
	return os.OpenFile(r.s.logPath(r.name, index), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
}

func (s *Store) logPath(run string, index int) string {
	return s.path("logs", run, strconv.Itoa(index)+".log")
}

// End records how the run ended, with another body unless that is nil, and gives
// up its lock. Only the first call counts, so that a deferred one can say what
// happens when nothing else was said.
func (r *Run) End(ctx context.Context, state RunState, data []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return nil
	}
	r.ended = true
	err := r.s.db.write(ctx, false, func(c *conn) error {
		if data != nil {
			err := c.query("UPDATE runs SET data = ? WHERE run = ?", func(st *sqlite3.Stmt) error {
				return errors.Join(st.BindBlob(1, data), st.BindText(2, r.name))
			}, nil)
			if err != nil {
				return err
			}
		}
		return c.query("UPDATE runs SET state = ?, ended = ? WHERE run = ?", func(st *sqlite3.Stmt) error {
			return errors.Join(st.BindText(1, string(state)), st.BindInt64(2, r.s.opts.Now().UnixNano()), st.BindText(3, r.name))
		}, nil)
	})
	return errors.Join(err, r.dir.Close())
}

// Runs gives the runs that are kept, oldest first.
func (s *Store) Runs(ctx context.Context) ([]RunInfo, error) {
	var out []RunInfo
	err := s.db.one(ctx, func(c *conn) error {
		return c.query("SELECT run, started, ended, state, data FROM runs ORDER BY run", nil, func(st *sqlite3.Stmt) error {
			out = append(out, RunInfo{
				Name: st.ColumnText(0), Started: instant(st.ColumnInt64(1)), Ended: instant(st.ColumnInt64(2)),
				State: RunState(st.ColumnText(3)), Data: st.ColumnBlob(4, nil),
			})
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("read runs: %w", err)
	}
	for i := range out {
		if out[i].State == Running && !s.runLives(out[i].Name) {
			if err := s.endedMeanwhile(ctx, &out[i]); err != nil {
				return nil, fmt.Errorf("read runs: %w", err)
			}
		}
	}
	return out, nil
}

// endedMeanwhile looks again at a run whose process is gone: it has said how it
// ended since it was read, or it crashed.
func (s *Store) endedMeanwhile(ctx context.Context, r *RunInfo) error {
	err := s.db.one(ctx, func(c *conn) error {
		return c.query("SELECT ended, state, data FROM runs WHERE run = ?", func(st *sqlite3.Stmt) error { return st.BindText(1, r.Name) },
			func(st *sqlite3.Stmt) error {
				r.Ended, r.State, r.Data = instant(st.ColumnInt64(0)), RunState(st.ColumnText(1)), st.ColumnBlob(2, nil)
				return nil
			})
	})
	if r.State == Running {
		r.State = Crashed
	}
	return err
}

// runLives tells whether the process of a run holds its lock.
func (s *Store) runLives(name string) bool {
	f, err := os.Open(s.path("logs", name))
	if err != nil {
		return false
	}
	defer f.Close()
	free, err := tryFlock(f, unix.LOCK_SH)
	return err == nil && !free
}

// Steps gives the steps of a run by index, and claims their trees. An unknown
// run is a [MissingError].
func (s *Store) Steps(ctx context.Context, run string) ([]Step, error) {
	var out []Step
	known := false
	err := s.look(ctx, func(c *conn) error {
		name := func(st *sqlite3.Stmt) error { return st.BindText(1, run) }
		err := c.query("SELECT 1 FROM runs WHERE run = ?", name, func(*sqlite3.Stmt) error {
			known = true
			return nil
		})
		if err != nil {
			return err
		}
		return c.query("SELECT step, name, state, started, ended, trees, data FROM steps WHERE run = ? ORDER BY step", name,
			func(st *sqlite3.Stmt) error {
				trees, err := unpackDigests(st.ColumnRawBlob(5))
				if err != nil || len(trees) != 2 {
					return fmt.Errorf("trees of step %d: %w", st.ColumnInt(0), errors.Join(err, digest.ErrInvalid))
				}
				s.claim(asAny, trees...)
				out = append(out, Step{
					Index: st.ColumnInt(0), Name: st.ColumnText(1), State: RunState(st.ColumnText(2)),
					Started: instant(st.ColumnInt64(3)), Ended: instant(st.ColumnInt64(4)),
					Before: trees[0], After: trees[1], Data: st.ColumnBlob(6, nil),
				})
				return nil
			})
	})
	if err != nil {
		return nil, fmt.Errorf("read steps of run %s: %w", run, err)
	}
	if !known {
		return nil, &MissingError{Kind: KindRun, Name: run}
	}
	return out, nil
}

// OpenLog opens the output of a step for reading, also while it is written.
func (s *Store) OpenLog(run string, index int) (*os.File, error) {
	return os.Open(s.logPath(run, index))
}

// nanos and instant write a time as a number, the zero time as 0.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func instant(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n)
}
