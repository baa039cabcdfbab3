package runs

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/store"
)

// Store has runs: a [store.Store] is one.
type Store interface {
	Runs(ctx context.Context) ([]store.RunInfo, error)
	Steps(ctx context.Context, run string) ([]store.Step, error)
}

// Found is what a [Name] names.
type Found struct {
	Run   store.RunInfo
	Steps []Step // all of the run, by number
	Step  *Step  // the one that is named; nil when a run is
}

// Step is a step of a run with its record.
type Step struct {
	store.Step
	StepRecord
}

// Number is what people call the step by: the first of a run is 1.
func (s Step) Number() int { return s.Index + 1 }

// Find finds a run or a step; but is the name of a run that is not the last one, as
// that of one who asks while it goes on itself. The error of one that there is not
// is fs.ErrNotExist, and says what there is.
func Find(ctx context.Context, s Store, n Name, but ...string) (Found, error) {
	all, err := s.Runs(ctx)
	if err != nil {
		return Found{}, err
	}
	if n.Run == Last {
		all = slices.DeleteFunc(all, func(r store.RunInfo) bool { return slices.Contains(but, r.Name) })
	}
	run, err := pick(all, n.Run)
	if err != nil {
		return Found{}, err
	}
	list, err := s.Steps(ctx, run.Name)
	if err != nil {
		return Found{}, err
	}
	f := Found{Run: run}
	for _, st := range list {
		step := Step{Step: st}
		if err := json.Unmarshal(st.Data, &step.StepRecord); err != nil {
			return Found{}, fmt.Errorf("the record of step %d of run %s is not understood: %w", step.Number(), run.Name, err)
		}
		step.State = stateOf(run, st)
		f.Steps = append(f.Steps, step)
	}
	if n.Step != "" {
		f.Step, err = f.pick(n.Step)
	}
	return f, err
}

// Asked gives what the run was asked for.
func (f Found) Asked() (string, error) {
	r, err := recordOf(f.Run)
	return string(r.Asked), err
}

// Engine gives the engine that carried the run out, as --engine has it; "" is that
// of this machine.
func (f Found) Engine() (string, error) {
	r, err := recordOf(f.Run)
	return r.Engine, err
}

// Failure gives why the run failed if no step of it did, as when what it made could
// not be written; "" otherwise.
func (f Found) Failure() (string, error) {
	if slices.ContainsFunc(f.Steps, func(s Step) bool { return s.State == Failed }) {
		return "", nil
	}
	r, err := recordOf(f.Run)
	return string(r.Error), err
}

func recordOf(run store.RunInfo) (r RunRecord, err error) {
	if err := json.Unmarshal(run.Data, &r); err != nil {
		return r, fmt.Errorf("the record of run %s is not understood: %w", run.Name, err)
	}
	return r, nil
}

// pick finds a run among all, oldest first.
func pick(all []store.RunInfo, name string) (store.RunInfo, error) {
	if len(all) == 0 {
		return store.RunInfo{}, notFound("there are no runs in the store yet: `inlay do` makes one")
	}
	if name == Last {
		return all[len(all)-1], nil
	}
	var found []store.RunInfo
	for _, r := range all {
		if r.Name == name {
			return r, nil
		}
		if strings.HasPrefix(r.Name, name) {
			found = append(found, r)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		if len(name) > 16 && name < all[0].Name && name[0] >= '0' && name[0] <= '9' {
			return store.RunInfo{}, notFound("run %s is not kept any more: newer ones are %s", name, newest(all))
		}
		return store.RunInfo{}, notFound("no run %q: want last, or the name of a run, of which there are %d: %s", name, len(all), newest(all))
	}
	return store.RunInfo{}, notFound("%d runs have names that start with %q: %s", len(found), name, newest(found))
}

// newest gives the names of the newest few runs, the newest first.
func newest(all []store.RunInfo) string {
	const few = 5
	var names []string
	for _, r := range slices.Backward(all) {
		if len(names) == few {
			return strings.Join(names, ", ") + ", and older ones"
		}
		names = append(names, r.Name)
	}
	return strings.Join(names, ", ")
}

// pick finds a step of the run.
func (f Found) pick(name string) (*Step, error) {
	if name == FailedStep {
		return f.failed()
	}
	number, err := strconv.Atoi(name)
	isNumber := err == nil
	var found []*Step
	for i := range f.Steps {
		s := &f.Steps[i]
		if isNumber && s.Number() == number || !isNumber && (s.Op == name || word(s.Call) == name) {
			found = append(found, s)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		if isNumber && number < 1 {
			return nil, notFound("run %s has no step %q, as steps count from 1: want failed, or one of %s", f.Run.Name, name, list(f.Steps))
		}
		return nil, notFound("run %s has no step %q: want failed, or one of %s", f.Run.Name, name, list(f.Steps))
	}
	var which []Step
	for _, s := range found {
		which = append(which, *s)
	}
	return nil, notFound("run %s has several steps %s, give the number: %s", f.Run.Name, name, list(which))
}

// failed gives the step that failed, or that was going on when the run ended or was
// canceled: of several at once the one that ended first, of one after another the last.
func (f Found) failed() (*Step, error) {
	for _, states := range [][]store.RunState{{Failed, store.Crashed}, {Canceled}} {
		var found *Step
		for i := range f.Steps {
			s := &f.Steps[i]
			if slices.Contains(states, s.State) && (found == nil || s.fails(found)) {
				found = s
			}
		}
		if found != nil {
			return found, nil
		}
	}
	return nil, notFound("no step of run %s failed; its state is %s", f.Run.Name, f.Run.State)
}

// fails tells whether the step is the failed one, rather than another one that failed.
// One that has not ended went on to the end of the run.
func (s *Step) fails(other *Step) bool {
	before := func(a, b *Step) bool { // a had ended when b began
		return !a.Ended.IsZero() && !b.Started.Before(a.Ended)
	}
	switch {
	case before(other, s):
		return true
	case before(s, other), s.Ended.IsZero():
		return false
	}
	return other.Ended.IsZero() || s.Ended.Before(other.Ended)
}

// Made gives the step that the name names, when a tree is wanted: of a run the
// one that failed, or else the last one that has ended. Of a run that goes on it is the
// last one that has ended, if it failed, too.
func (f Found) Made() (*Step, error) {
	if f.Step != nil {
		return f.Step, nil
	}
	if f.Run.State != Done && f.Run.State != store.Running {
		if s, err := f.failed(); err == nil {
			return s, nil
		}
	}
	for i := range slices.Backward(f.Steps) {
		s := &f.Steps[i]
		if s.State == Done || s.State == Cached || s.State == Failed && f.Run.State == store.Running {
			return s, nil
		}
	}
	return nil, notFound("no step of run %s has ended; its state is %s", f.Run.Name, f.Run.State)
}

// Lost tells whether what the step's process left could not be kept. Of one that
// was killed nobody knows whether its process ran.
func (s Step) Lost() bool {
	ran := s.Process != nil && (s.State == Failed || s.State == Canceled) || s.State == store.Crashed
	return ran && s.Spec != nil && s.After.IsZero() && !s.IsRemote()
}

// IsRemote tells whether a remote has what the step came to, and the store has not.
func (s Step) IsRemote() bool {
	ended := s.State == Done || s.State == Cached || s.State == Failed || s.State == Canceled
	return ended && s.Node != nil && s.After.IsZero() && (s.Before.IsZero() || s.Spec != nil || s.Error == "")
}

// Tree gives the digest of the tree after the step. Of one that failed it is what
// it left: all that its process wrote, or, where that could not be kept (see
// [Step.Lost]) and for other steps, the tree that it began with. A step that has none
// is an fs.ErrNotExist.
func (s Step) Tree() (digest.Digest, error) {
	switch {
	case !s.After.IsZero():
		return s.After, nil
	case (s.State == Failed || s.State == Canceled || s.State == store.Crashed) && !s.Before.IsZero():
		return s.Before, nil
	}
	why := "it has no tree"
	switch s.State {
	case Done, Cached:
		why = "it made a change set, which is no tree"
		if s.Elsewhere {
			why = "parts of its tree are in a cache of others, and were not brought here: run it again with --cache-from, and look into it there"
		}
	case store.Running:
		why = "it is still running, and has no tree yet"
	case Waiting:
		why = "it has not begun yet"
	case Skipped:
		why = "it was skipped, as another step did not succeed"
	case Failed, Canceled, store.Crashed:
		why = "it ended before it had a tree"
	}
	return digest.Digest{}, notFound("step %d (%s): %s", s.Number(), word(s.Call), why)
}

// word gives the word or method that a step was called by.
func word(call Text) string {
	text := string(call)
	if i := strings.IndexAny(text, " ("); i >= 0 {
		return text[:i]
	}
	return text
}

// list tells steps with their numbers.
func list(steps []Step) string {
	const few = 20
	if len(steps) == 0 {
		return "none, as none was recorded"
	}
	var out []string
	for i, s := range steps {
		if i == few {
			out = append(out, fmt.Sprintf("and others up to %d", steps[len(steps)-1].Number()))
			break
		}
		out = append(out, fmt.Sprintf("%d (%s)", s.Number(), word(s.Call)))
	}
	return strings.Join(out, ", ")
}

// notFound is an error that says itself what there is not, and is fs.ErrNotExist.
func notFound(format string, args ...any) error {
	return notFoundError(fmt.Sprintf(format, args...))
}

type notFoundError string

func (e notFoundError) Error() string { return string(e) }

// Is tells that it is fs.ErrNotExist.
func (e notFoundError) Is(target error) bool { return target == fs.ErrNotExist }
