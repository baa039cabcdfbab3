package runs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/inlaybuild/inlay/internal/store"
)

// Listed is a run with its record, and how many of its steps are in which state.
type Listed struct {
	store.RunInfo
	RunRecord
	Steps map[store.RunState]int
}

// List lists the newest runs, the newest first; most is the greatest number of
// them, 0 is no limit. It costs a look at each run that it gives.
func List(ctx context.Context, s Store, most int) ([]Listed, error) {
	all, err := s.Runs(ctx)
	if err != nil {
		return nil, err
	}
	var out []Listed
	for i := len(all) - 1; i >= 0 && (most == 0 || len(out) < most); i-- {
		l := Listed{RunInfo: all[i], Steps: map[store.RunState]int{}}
		if err := json.Unmarshal(l.Data, &l.RunRecord); err != nil {
			return nil, fmt.Errorf("the record of run %s is not understood: %w", l.Name, err)
		}
		steps, err := s.Steps(ctx, l.Name)
		if errors.Is(err, store.ErrMissing) {
			continue // it was collected meanwhile
		}
		if err != nil {
			return nil, err
		}
		for _, st := range steps {
			l.Steps[stateOf(l.RunInfo, st)]++
		}
		out = append(out, l)
	}
	return out, nil
}

// stateOf gives the state of a step: that of one whose run's process is gone
// follows from that.
func stateOf(run store.RunInfo, st store.Step) store.RunState {
	if run.State == store.Crashed {
		switch st.State {
		case store.Running:
			return store.Crashed
		case Waiting:
			return Skipped
		}
	}
	return st.State
}
