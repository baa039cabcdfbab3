package runs

import (
	"context"
	"fmt"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/inlaybuild/inlay/tree"
)

// Explanation tells of a run what its steps did.
type Explanation struct {
	Run   store.RunInfo
	Asked string          // what the user asked for
	Error string          // why it failed, where that is no step's
	Steps []ExplainedStep // all, or the one that was named
}

// ExplainedStep is a step with what it changed.
type ExplainedStep struct {
	Step
	// Change is what the step's tree has more, less or otherwise than the one
	// it began with; nil for a step that began with none or made none, or whose
	// trees were not recorded because the run's process ended before the run.
	Change *compose.Counts
	// Total is what the step's tree holds; nil where there is none.
	Total *Total
}

// Total is the size of a tree.
type Total struct {
	Entries int64 // without the root
	Bytes   int64 // of all files; one with several names counts once for each
}

// Explain explains a run, or a step of one. Numbers of entries come from
// comparing the trees before and after each step, which the store keeps as long
// as the run: that costs what a step changed, nothing while it is carried out,
// and is the same for every kind of step. Where things landed was written down
// by the step.
func Explain(ctx context.Context, s Store, trees tree.Source, n Name) (Explanation, error) {
	f, err := Find(ctx, s, n)
	if err != nil {
		return Explanation{}, err
	}
	asked, err := f.Asked()
	if err != nil {
		return Explanation{}, err
	}
	failure, err := f.Failure()
	if err != nil {
		return Explanation{}, err
	}
	out := Explanation{Run: f.Run, Asked: asked, Error: failure}
	steps := f.Steps
	if f.Step != nil {
		steps = []Step{*f.Step}
	}
	for _, st := range steps {
		e, err := explain(ctx, trees, st)
		if err != nil {
			return Explanation{}, fmt.Errorf("step %d of run %s: %w", st.Number(), f.Run.Name, err)
		}
		out.Steps = append(out.Steps, e)
	}
	return out, nil
}

func explain(ctx context.Context, trees tree.Source, s Step) (ExplainedStep, error) {
	out := ExplainedStep{Step: s}
	if s.After.IsZero() {
		return out, nil
	}
	after, err := tree.Load(ctx, trees, s.After)
	if err != nil {
		return out, err
	}
	out.Total = &Total{Entries: after.Count(), Bytes: after.Bytes()}
	if s.Before.IsZero() {
		return out, nil
	}
	before, err := tree.Load(ctx, trees, s.Before)
	if err != nil {
		return out, err
	}
	c, err := compose.Count(ctx, before, after)
	if err != nil {
		return out, fmt.Errorf("compare its trees: %w", err)
	}
	out.Change = &c
	return out, nil
}
