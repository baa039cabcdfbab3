package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/inlaybuild/inlay/cmd/inlay/internal/chart"
	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine/runs"
	"github.com/inlaybuild/inlay/internal/store"
)

// graphFile checks the name of a file that a graph is written to.
func graphFile(name string) error {
	switch filepath.Ext(name) {
	case ".dot", ".gv", ".svg":
		return nil
	}
	return usageErrorf("--graph %s: want a name that ends in .svg, for a picture, or in .dot, for Graphviz", name)
}

// graph writes all of a run as a graph; a step that is named is marked in it.
func (s *session) graph(ctx context.Context, n runs.Name, file string) error {
	e, err := s.embedded.Explain(ctx, n)
	if err != nil {
		return err
	}
	marked := 0
	if n.Step != "" {
		marked = e.Steps[0].Number()
		if e, err = s.embedded.Explain(ctx, runs.Name{Run: e.Run.Name}); err != nil {
			return err
		}
	}
	g := graphOf(e, marked)
	b := g.DOT()
	if filepath.Ext(file) == ".svg" {
		if b, err = g.SVG(); err != nil {
			return err
		}
	}
	if err := os.WriteFile(file, b, 0o644); err != nil {
		return err
	}
	s.display.Pause()
	if s.display.Output() {
		fmt.Fprintf(s.stderr, "wrote %s\n", show.Quote(file))
	}
	return nil
}

// graphOf gives the picture of a run: what led to what, what it cost, and which
// steps came to equal trees.
func graphOf(e runs.Explanation, marked int) chart.Graph {
	g := chart.Graph{Title: "run " + e.Run.Name + ": " + outcome(e.Run.State, e.Run.Started, e.Run.Ended)}
	box := map[int]int{} // by the index of a step
	for i, st := range e.Steps {
		box[st.Index] = i
	}
	first := map[digest.Digest]int{}
	for i, st := range e.Steps {
		b := chart.Box{
			Head:   fmt.Sprintf("#%d %s", st.Number(), show.Line(st.Call)),
			Colour: colour(st.State),
			Marked: st.Number() == marked,
		}
		for _, in := range st.Inputs {
			if at, ok := box[in]; ok {
				b.Inputs = append(b.Inputs, at)
			}
		}
		b.Lines = graphLines(st)
		if !st.After.IsZero() {
			tree := "tree " + short(st.After)
			if at, ok := first[st.After]; ok {
				tree += fmt.Sprintf(", the same as that of #%d", e.Steps[at].Number())
				b.Same = &at
			} else {
				first[st.After] = i
			}
			b.Lines = append(b.Lines, tree)
		}
		g.Boxes = append(g.Boxes, b)
	}
	return g
}

// graphLines is what a box says of a step, but for its tree.
func graphLines(st runs.ExplainedStep) []string {
	lines := []string{outcome(st.State, st.Started, st.Ended)}
	if st.Uncached != nil {
		lines = append(lines, "not cached: "+show.Line(st.Uncached.Text))
	}
	if st.Error != "" {
		lines = append(lines, show.Line(strings.TrimPrefix(string(st.Error), string(st.Call)+": ")))
	}
	changed, written, _ := strings.Cut(summary(st), "; ")
	for _, l := range []string{changed, written} {
		if l != "" {
			lines = append(lines, l)
		}
	}
	return lines
}

// short is the start of a digest, by which it is known among those of a run.
func short(d digest.Digest) string {
	_, letters, _ := strings.Cut(d.String(), ":")
	return letters[:12]
}

// colour is that of a box of a step in a state.
func colour(state store.RunState) chart.Colour {
	switch state {
	case runs.Done:
		return chart.Green
	case runs.Cached:
		return chart.Blue
	case runs.Failed, store.Crashed:
		return chart.Red
	case store.Running:
		return chart.Yellow
	}
	return chart.Grey
}
