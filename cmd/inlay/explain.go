package main

import (
	"context"
	"strings"
	"time"

	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/runs"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/spf13/cobra"
)

// runNames is what help says of RUN and STEP.
const runNames = `RUN is last, the name of a run, or the start of one. STEP is RUN@N with the number
that the run showed, RUN@failed, or RUN@WORD with a word that only one step has.`

func (a *app) explainCommand() *cobra.Command {
	var all bool
	var graph string
	c := &cobra.Command{
		Use:   "explain [--all] [--graph FILE] [RUN|STEP]",
		Short: "tell where a run put things, and why there",
		Long: "Tell of each step of a run, the last one if none is named, where what it copied, merged\n" +
			"or mounted landed and through which symlinks, how many entries it added, replaced,\n" +
			"removed and left as they were, and what it wrote into the store. Of very many places the\n" +
			"first few are shown, those first that are not where one would expect them.\n\n" +
			"With --graph, draw all steps of the run instead, each with what it follows from, how it\n" +
			"ended, what it cost and the tree that it came to: as a picture (FILE.svg), or in the\n" +
			"language of Graphviz (FILE.dot). A square or a dashed line joins steps with equal trees.\n\n" + runNames,
		Example: `  inlay explain
  inlay explain last@3
  inlay explain last@failed
  inlay explain --graph run.svg
  inlay explain --json last@with-directory | jq '.steps[].placements'`,
		Args:              arguments(0, 1),
		ValidArgsFunction: a.completeRuns,
		RunE: func(cmd *cobra.Command, args []string) error {
			n, err := runs.ParseName(strings.Join(args, ""))
			if err != nil {
				return usageError{err}
			}
			if graph != "" {
				if all || a.json {
					return usageErrorf("--graph draws the run instead of telling of it: leave out --all and --json")
				}
				if err := graphFile(graph); err != nil {
					return err
				}
			}
			return a.with(cmd.Context(), "", func(ctx context.Context, s *session) error {
				if graph != "" {
					return s.graph(ctx, n, graph)
				}
				e, err := s.embedded.Explain(ctx, n)
				if err != nil {
					return err
				}
				if s.json {
					return s.writeJSON(explanationOf(e))
				}
				return s.explain(e, all)
			})
		},
	}
	c.Flags().BoolVar(&all, "all", false, "all places that were recorded, not only the first few of each step")
	c.Flags().StringVar(&graph, "graph", "", "draw the run into a file: FILE.svg or FILE.dot")
	return a.jsonFlag(c)
}

// completeRuns completes the names of runs.
func (a *app) completeRuns(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	a.progress = "quiet"
	names := []string{runs.Last}
	_ = a.with(cmd.Context(), "", func(ctx context.Context, s *session) error {
		list, err := s.embedded.Store().Runs(ctx)
		for _, r := range list {
			names = append(names, r.Name)
		}
		return err
	})
	return names, cobra.ShellCompDirectiveNoFileComp
}

// shown is how many places of a step are shown without --all.
const shown = 20

func (s *session) explain(e runs.Explanation, all bool) error {
	p := s.page()
	p.run(e.Run, e.Asked, e.Error)
	for _, st := range e.Steps {
		p.printf("\n#%d %s: %s\n", st.Number(), show.Line(st.Call), outcome(st.State, st.Started, st.Ended))
		if st.Uncached != nil {
			p.printf("   not cached: %s\n", show.Line(st.Uncached.Text))
		}
		for _, l := range st.Lowered {
			p.printf("   at the daemon: %s\n", show.Line(l.String()))
		}
		places(p, st, all)
		if st.Error != "" {
			p.printf("   %s\n", errorOf(st.Step))
		}
		if text := summary(st); text != "" {
			p.printf("   %s\n", text)
		}
	}
	if len(e.Steps) == 0 {
		p.printf("\nno step of it was recorded\n")
	}
	return p.Flush()
}

// places writes where a step put things.
func places(p *page, st runs.ExplainedStep, all bool) {
	if st.Placed == nil {
		return
	}
	recorded := engine.Placements(*st.Placed)
	told := recorded
	if !all {
		told = recorded.First(shown)
	}
	for _, q := range told.List {
		p.printf("   %s\n", show.Placed(q, show.Quote))
	}
	switch {
	case told.More > recorded.More:
		p.printf("   and %s more (--all shows %s of them)\n", show.Number(told.More), show.Number(told.More-recorded.More))
	case told.More > 0:
		p.printf("   and %s more that were not recorded\n", show.Number(told.More))
	}
}

// cut keeps an error that lists very much from hiding the rest; JSON has all.
func cut(s string) string {
	const most = 1000
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "..."
	}
	return s
}

// outcome writes how a run or a step ended.
func outcome(state store.RunState, started, ended time.Time) string {
	switch state {
	case runs.Cached, runs.Canceled, runs.Skipped, runs.Waiting:
		return string(state)
	case store.Running:
		return "running, since " + started.Local().Format("15:04:05")
	case store.Crashed:
		return "killed: its process ended before it did"
	}
	took := show.Seconds(ended.Sub(started))
	if state == runs.Failed {
		return "failed after " + took
	}
	return string(state) + " " + took
}

// summary writes what a step changed, in numbers.
func summary(st runs.ExplainedStep) string {
	var text string
	switch c := st.Change; {
	case st.Total == nil:
		return ""
	case c == nil:
		text = show.Entries(st.Total.Entries) + ", " + show.Size(st.Total.Bytes) + " of files"
	default:
		text = show.Changes(*c)
	}
	text += "; " + inBytes(st.Written.Blobs) + " written"
	if st.Written.Nodes > 0 {
		text += ", and " + inBytes(st.Written.Nodes) + " of directories"
	}
	return text
}

func inBytes(n int64) string {
	if n == 1 {
		return "1 byte"
	}
	return show.Number(n) + " bytes"
}
