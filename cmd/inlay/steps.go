package main

import (
	"context"
	"strings"

	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/inlaybuild/inlay/engine/runs"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/spf13/cobra"
)

func (a *app) stepsCommand() *cobra.Command {
	return a.jsonFlag(&cobra.Command{
		Use:   "steps [RUN]",
		Short: "list the steps of a run",
		Long: "List the steps of a run, the last one if none is named, also while it goes on: the number of\n" +
			"each, how it ended, how long it took, and what it was asked to do. The tree of step 3 is\n" +
			"the SRC last@3; what a failed step left is last@failed; --json has the digests of the\n" +
			"trees before and after each.\n\n" + runNames,
		Example: `  inlay steps
  inlay steps --json last@failed | jq -r '.steps[0].process.exitCode'`,
		Args:              arguments(0, 1),
		ValidArgsFunction: a.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := runs.ParseName(strings.Join(args, ""))
			if err != nil {
				return usageError{err}
			}
			return a.with(cmd.Context(), "", func(ctx context.Context, s *session) error {
				found, err := runs.Find(ctx, s.embedded.Store(), n)
				if err != nil {
					return err
				}
				return s.steps(found)
			})
		},
	})
}

// stepJSON is a step in JSON.
type stepJSON struct {
	explainedStep
	Process *processJSON `json:"process,omitempty"` // of a step whose process ran
	Log     string       `json:"log,omitempty"`     // of a cached one: the step that ran it, as RUN@STEP
}

// processJSON is what became of a process, in JSON.
type processJSON struct {
	ExitCode   int    `json:"exitCode"`
	Signal     int    `json:"signal,omitempty"`
	OOM        bool   `json:"oom,omitempty"`
	NotStarted bool   `json:"notStarted,omitempty"`
	Canceled   bool   `json:"canceled,omitempty"`
	Stdout     int64  `json:"stdout"` // bytes
	Stderr     int64  `json:"stderr"`
	NotLogged  string `json:"notLogged,omitempty"` // why the log does not have all of it
}

func (s *session) steps(f runs.Found) error {
	asked, err := f.Asked()
	if err != nil {
		return err
	}
	failure, err := f.Failure()
	if err != nil {
		return err
	}
	steps := f.Steps
	if f.Step != nil {
		steps = []runs.Step{*f.Step}
	}
	if s.json {
		return s.stepsJSON(runs.Explanation{Run: f.Run, Asked: asked, Error: failure}, steps)
	}
	p := s.page()
	p.run(f.Run, asked, failure)
	p.WriteByte('\n')
	for _, st := range steps {
		time := took(st.Started, st.Ended)
		why := ""
		if st.Uncached != nil {
			why = " (not cached: " + show.Line(st.Uncached.Text) + ")"
		}
		p.printf("#%-3d %-8s %6s  %s%s\n", st.Number(), st.State, time, show.Line(st.Call), why)
		if st.Error != "" {
			p.printf("%22s%s\n", "", errorOf(st))
		}
		if st.Lost() {
			p.printf("%22swhat its process left is not kept: its tree is the one that it began with\n", "")
		}
	}
	if len(steps) == 0 {
		p.printf("no step of it was recorded\n")
	}
	return p.Flush()
}

// run writes what a run is: its name, how it ended, what it was asked for, and why it
// failed where that is no step's.
func (p *page) run(r store.RunInfo, asked, failure string) {
	p.printf("run %s: %s\n", r.Name, outcome(r.State, r.Started, r.Ended))
	for line := range strings.Lines(asked) {
		p.printf("    %s\n", show.Clean(strings.TrimRight(line, "\n"), false))
	}
	if failure != "" {
		p.printf("%s\n", cut(show.Line(failure)))
	}
}

func (s *session) stepsJSON(x runs.Explanation, steps []runs.Step) error {
	for _, st := range steps {
		x.Steps = append(x.Steps, runs.ExplainedStep{Step: st})
	}
	e := explanationOf(x)
	out := struct {
		explanation
		Steps []stepJSON `json:"steps"`
	}{explanation: e, Steps: []stepJSON{}}
	for i, st := range steps {
		j := stepJSON{explainedStep: e.Steps[i]}
		if q := st.Process; q != nil {
			j.Process = &processJSON{
				ExitCode: q.ExitCode, Signal: q.Signal, OOM: q.OOM, NotStarted: q.NotStarted, Canceled: q.Canceled,
				Stdout: q.Stdout, Stderr: q.Stderr, NotLogged: q.NotLogged,
			}
		}
		if st.Log != nil {
			j.Log = st.Log.String()
		}
		out.Steps = append(out.Steps, j)
	}
	return s.writeJSON(out)
}
