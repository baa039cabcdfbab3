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
	s       *Store
	name    string
	started time.Time
	data    []byte

	mu    sync.Mutex
	known bool // it is in the database
	ended bool // and so is how it ended

	owning sync.Mutex // not mu: a log is not to wait for a commit
	dir    *os.File   // its lock says that the run goes on; nil until somebody could ask
	over   bool       // End was called
}

// RunChanges are what a commit writes of a run. It costs about 0.1 milliseconds
// beside the commit.
type RunChanges struct {
	Run   *Run
	Steps []Step   // their trees are in the commit or in the store, and kept as long as the run
	Ended RunState // how the run ended; "" while it goes on
	Data  []byte   // another body of the run; nil leaves the one that it has
}

// NewRun begins a run. It is recorded together with its first steps or its end,
// whichever comes first, so that a short run is one transaction. The records of
// runs survive the death of the process, but the last ones may be lost in a power
// cut.
func (s *Store) NewRun(data []byte) (*Run, error) {
	if err := s.writable(); err != nil {
		return nil, err
	}
	now := s.opts.Now()
	return &Run{s: s, data: data, started: now, name: now.UTC().Format("20060102-150405.000000-") + rand.Text()[:4]}, nil
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

// PutSteps records steps, all or none, with trees that are committed already.
func (r *Run) PutSteps(ctx context.Context, steps []Step) error {
	return r.s.Commit(ctx, Changes{Loose: true, Run: &RunChanges{Run: r, Steps: steps}})
}

// commit calls f, which commits the changes.
func (ch *RunChanges) commit(f func() error) error {
	r := ch.Run
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return fmt.Errorf("run %s: %w", r.name, errEnded)
	}
	if ch.Ended == "" {
		if err := r.Prepare(); err != nil {
			return err
		}
	}
	if err := f(); err != nil {
		return err
	}
	r.known, r.ended = true, ch.Ended != ""
	return nil
}

// record writes the changes in a transaction. The caller holds the run's mu.
func (ch *RunChanges) record(c *conn, now time.Time) error {
	r := ch.Run
	if !r.known {
		err := c.query("INSERT INTO runs (run, started, ended, state, data) VALUES (?, ?, 0, ?, ?)",
			func(st *sqlite3.Stmt) error {
				return errors.Join(st.BindText(1, r.name), st.BindInt64(2, r.started.UnixNano()),
					st.BindText(3, string(Running)), bindBytes(st, 4, r.data))
			}, nil)
		if err != nil {
			return err
		}
	}
	for _, step := range ch.Steps {
		if err := r.putStep(c, step); err != nil {
			return err
		}
	}
	if ch.Data != nil {
		err := c.query("UPDATE runs SET data = ? WHERE run = ?", func(st *sqlite3.Stmt) error {
			return errors.Join(st.BindBlob(1, ch.Data), st.BindText(2, r.name))
		}, nil)
		if err != nil {
			return err
		}
	}
	if ch.Ended == "" {
		return nil
	}
	return c.query("UPDATE runs SET state = ?, ended = ? WHERE run = ?", func(st *sqlite3.Stmt) error {
		return errors.Join(st.BindText(1, string(ch.Ended)), st.BindInt64(2, now.UnixNano()), st.BindText(3, r.name))
	}, nil)
}

// trees gives the trees that the changes name.
func (ch *RunChanges) trees() []digest.Digest {
	var out []digest.Digest
	for _, step := range ch.Steps {
		for _, d := range []digest.Digest{step.Before, step.After} {
			if !d.IsZero() {
				out = append(out, d)
			}
		}
	}
	return out
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

// Prepare makes the directory of the run, as [Run.Log] does, before it is needed, and
// takes its lock.
func (r *Run) Prepare() (err error) {
	r.owning.Lock()
	defer r.owning.Unlock()
	switch {
	case r.over:
		return fmt.Errorf("run %s: %w", r.name, errEnded)
	case r.dir == nil:
		r.dir, _, err = makeOwned(func() string { return r.s.path("logs", r.name) })
	}
	return err
}

// Log makes the file for the output of a step, empty. Its format is the caller's.
func (r *Run) Log(index int) (*os.File, error) {
	if err := r.Prepare(); err != nil {
		return nil, err
	}
	return os.OpenFile(r.s.logPath(r.name, index), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
}

func (s *Store) logPath(run string, index int) string {
	return s.path("logs", run, strconv.Itoa(index)+".log")
}

// End records how the run ended, unless that was committed already, with another
// body unless that is nil, and gives up its lock. Only the first call counts, so
// that a deferred one can say what happens when nothing else was said.
func (r *Run) End(ctx context.Context, state RunState, data []byte) error {
	r.owning.Lock()
	over := r.over
	r.over = true
	r.owning.Unlock()
	if over {
		return nil
	}
	r.mu.Lock()
	ended := r.ended
	r.mu.Unlock()
	var err error
	if !ended {
		err = r.s.Commit(ctx, Changes{Loose: true, Run: &RunChanges{Run: r, Ended: state, Data: data}})
	}
	if r.dir != nil {
		err = errors.Join(err, r.dir.Close())
	}
	return err
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
