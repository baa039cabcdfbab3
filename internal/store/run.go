package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/inlaybuild/inlay/digest"
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
	Data    json.RawMessage
}

// Step is a node of a run. A later Step of the same index replaces it.
type Step struct {
	Index   int             `json:"index"`
	Name    string          `json:"name"`
	State   RunState        `json:"state"`
	Before  digest.Digest   `json:"before,omitzero"` // tree it began with; zero for none
	After   digest.Digest   `json:"after,omitzero"`  // tree it made; zero for none
	Started time.Time       `json:"started,omitzero"`
	Ended   time.Time       `json:"ended,omitzero"`
	Data    json.RawMessage `json:"data,omitempty"` // nil for none
}

// Run is a run that goes on. Its kernel lock tells others so.
type Run struct {
	s       *Store
	name    string
	started time.Time
	data    json.RawMessage

	mu      sync.Mutex
	record  *os.File                   // its lock says that the run goes on; nil until it has begun
	logs    bool                       // it has a directory for them
	size    int64                      // of what counts of the record
	own     map[digest.Digest]struct{} // nodes that are in it
	ownSize int                        // of these
	ended   bool                       // it says how the run ended
	over    bool                       // End was called
}

// RunChanges are what a commit writes of a run. It costs about 0.05 milliseconds
// beside the commit.
type RunChanges struct {
	Run   *Run
	Nodes []Node          // of trees of steps, that the run is to have by itself; see [Run.Room]
	Steps []Step          // their trees are in the commit, in the store or the run's own, and kept as long as it
	Ended RunState        // how the run ended; "" while it goes on
	Data  json.RawMessage // with Ended, another body of the run; nil leaves the one that it has
}

// NewRun gives a run with a body, which others see when it has begun: with
// [Run.Begin], or what is recorded first. The records of runs survive the death of
// the process, but the last ones may be lost in a power cut.
func (s *Store) NewRun(data json.RawMessage) (*Run, error) {
	if err := s.writable(); err != nil {
		return nil, err
	}
	s.runs.Store(true)
	now := s.opts.Now()
	return &Run{s: s, data: data, started: now, name: now.UTC().Format("20060102-150405.000000-") + newName(4)}, nil
}

// Name is the run's name.
func (r *Run) Name() string { return r.name }

// Begin records what the run was asked, so that others see it. Who records something
// else of it need not call it.
func (r *Run) Begin() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.begin()
}

// begin is Begin for a caller that holds mu.
func (r *Run) begin() error {
	switch {
	case r.over:
		return fmt.Errorf("run %s: %w", r.name, errEnded)
	case r.size > 0:
		return nil
	}
	return r.append()
}

// append writes lines of the record, behind its first one, all or none unless the
// process dies. The caller holds mu.
func (r *Run) append(lines ...runEntry) (err error) {
	if r.record == nil {
		if r.record, _, err = makeOwned(func() string { return r.s.recordPath(r.name) }, newRecord); err != nil {
			return err
		}
	}
	b := make([]byte, 0, 2048)
	if r.size == 0 {
		if b, err = appendEntry(b, runEntry{Run: &runBegun{Started: r.started, Data: r.data}}); err != nil {
			return fmt.Errorf("encode the record of run %s: %w", r.name, err)
		}
	}
	for _, e := range lines {
		if b, err = appendEntry(b, e); err != nil {
			return fmt.Errorf("encode the record of run %s: %w", r.name, err)
		}
	}
	if _, err := r.record.WriteAt(b, r.size); err != nil {
		return errors.Join(fmt.Errorf("write the record of a run: %w", err), r.record.Truncate(r.size))
	}
	r.size += int64(len(b))
	return nil
}

// newRecord makes the record of a run, for makeOwned. One in which nothing is has been made
// before, by the same run: who was about to remove it may have died.
func newRecord(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && info.Size() > 0 {
		err = os.ErrExist // another run has the same name
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// PutStep is [Run.PutSteps] for one step.
func (r *Run) PutStep(ctx context.Context, step Step) error { return r.PutSteps(ctx, []Step{step}) }

// PutSteps records steps, all or none, with trees that are committed already.
func (r *Run) PutSteps(ctx context.Context, steps []Step) error {
	return r.s.Commit(ctx, Changes{Loose: true, Run: &RunChanges{Run: r, Steps: steps}})
}

// put writes the changes.
func (ch *RunChanges) put(now time.Time) error {
	r := ch.Run
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended {
		return fmt.Errorf("run %s: %w", r.name, errEnded)
	}
	nodes, err := r.fresh(ch.Nodes)
	if err != nil {
		return err
	}
	lines := make([]runEntry, 0, len(nodes)+len(ch.Steps)+1)
	for _, n := range nodes { // before what names them
		lines = append(lines, runEntry{Node: (*runNode)(&n)})
	}
	for _, step := range ch.Steps {
		lines = append(lines, runEntry{Step: &step})
	}
	if ch.Ended != "" {
		lines = append(lines, runEntry{End: &runEnded{State: ch.Ended, Ended: now, Data: ch.Data}})
	}
	if err := r.append(lines...); err != nil {
		return err
	}
	r.has(nodes)
	r.ended = ch.Ended != ""
	return nil
}

// treesOf gives the trees that steps name.
func treesOf(steps []Step) []digest.Digest {
	var out []digest.Digest
	for _, step := range steps {
		out = append(out, step.trees()...)
	}
	return out
}

// trees gives the trees that a step names.
func (s *Step) trees() []digest.Digest {
	return slices.DeleteFunc([]digest.Digest{s.Before, s.After}, digest.Digest.IsZero)
}

// Log makes the file for the output of a step, empty. Its format is the caller's.
func (r *Run) Log(index int) (*os.File, error) {
	if err := r.PrepareLogs(); err != nil {
		return nil, err
	}
	return os.OpenFile(r.s.logPath(r.name, index), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
}

// PrepareLogs begins the run, and makes the directory for its logs, as the first call of
// [Run.Log] does, which takes a tenth of a millisecond.
func (r *Run) PrepareLogs() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.begin(); err != nil || r.logs {
		return err
	}
	// Behind the record: logs without one are nobody's.
	if err := os.Mkdir(r.s.path("logs", r.name), 0o700); err != nil {
		return err
	}
	r.logs = true
	return nil
}

func (s *Store) logPath(run string, index int) string {
	return s.path("logs", run, strconv.Itoa(index)+".log")
}

// End records how the run ended, unless that was committed already, with another
// body unless that is nil, and gives up its lock. Only the first call counts, so
// that a deferred one can say what happens when nothing else was said.
func (r *Run) End(ctx context.Context, state RunState, data json.RawMessage) error {
	r.mu.Lock()
	over, ended := r.over, r.ended
	r.over = true
	r.mu.Unlock()
	if over {
		return nil
	}
	var err error
	if !ended {
		err = r.s.Commit(ctx, Changes{Loose: true, Run: &RunChanges{Run: r, Ended: state, Data: data}})
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.record != nil {
		err = errors.Join(err, r.record.Close())
	}
	return err
}

// Runs gives the runs that are kept, oldest first. It reads the record of each, which
// takes about 20 microseconds.
func (s *Store) Runs(context.Context) ([]RunInfo, error) {
	names, err := s.runNames()
	if err != nil {
		return nil, fmt.Errorf("read runs: %w", err)
	}
	var out []RunInfo
	for _, name := range names {
		info, begun, err := s.info(name)
		if err != nil {
			return nil, fmt.Errorf("read runs: %w", err)
		}
		if begun {
			out = append(out, info)
		}
	}
	return out, nil
}

// Steps gives the steps of a run by index, and claims their trees: those in the store,
// and those that [Store.RunNode] has. An unknown
// run is a [MissingError].
func (s *Store) Steps(ctx context.Context, run string) ([]Step, error) {
	if err := s.gate.enter(ctx); err != nil {
		return nil, fmt.Errorf("read steps of run %s: %w", run, err)
	}
	defer s.gate.leave()
	record, err := s.readRecord(run)
	if err != nil {
		return nil, fmt.Errorf("read steps of run %s: %w", run, err)
	}
	if _, begun := infoOf(run, record); !begun {
		return nil, &MissingError{Kind: KindRun, Name: run}
	}
	steps := stepsOf(record)
	s.learn(run, record)
	s.claim(asAny, slices.DeleteFunc(treesOf(steps), s.KnowsRunNode)...)
	return steps, nil
}

// OpenLog opens the output of a step for reading, also while it is written.
func (s *Store) OpenLog(run string, index int) (*os.File, error) {
	return os.Open(s.logPath(run, index))
}
