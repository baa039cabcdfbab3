package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/inlaybuild/inlay/engine/runs"
	"github.com/spf13/cobra"
)

func (a *app) runsCommand() *cobra.Command {
	var most int
	c := &cobra.Command{
		Use:   "runs [-n N]",
		Short: "list what was run",
		Long: "List the runs that the store remembers, the newest first: when each began (in its name, in\n" +
			"UTC), how it ended, how long it took, how many steps it has and how many of them were\n" +
			"cached, and what was asked for. About 100 are remembered, with up to 1 GiB of logs: now\n" +
			"and then the end of a run forgets the oldest, and gc all that are more.",
		Example: `  inlay runs
  inlay runs -n 0 --json | jq -r '.[] | select(.state == "failed").run'`,
		Args:              arguments(0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if most < 0 {
				return usageErrorf("-n %d: want a number, 0 for all", most)
			}
			return a.with(cmd.Context(), "", func(ctx context.Context, s *session) error {
				list, err := runs.List(ctx, s.embedded.Store(), most)
				if err != nil {
					return err
				}
				return s.runs(list)
			})
		},
	}
	c.Flags().IntVarP(&most, "number", "n", 20, "how many; 0 for all")
	return a.jsonFlag(c)
}

// runJSON is a run in JSON.
type runJSON struct {
	Run     string         `json:"run"`
	Asked   show.Bytes     `json:"asked"`
	State   string         `json:"state"` // done, failed, canceled, running, or crashed: its process is gone
	Started time.Time      `json:"started"`
	Seconds *float64       `json:"seconds,omitempty"`
	Steps   map[string]int `json:"steps"` // how many are in which state
	Error   show.Bytes     `json:"error,omitempty"`
}

func (s *session) runs(list []runs.Listed) error {
	if s.json {
		out := []runJSON{}
		for _, r := range list {
			j := runJSON{
				Run: r.Name, Asked: show.Bytes(r.Asked), State: string(r.State), Started: r.Started.UTC(),
				Seconds: seconds(r.Started, r.Ended), Steps: map[string]int{}, Error: show.Bytes(r.Error),
			}
			for state, n := range r.Steps {
				j.Steps[string(state)] = n
			}
			out = append(out, j)
		}
		return s.writeJSON(out)
	}
	p := s.page()
	for _, r := range list {
		total := 0
		for _, n := range r.Steps {
			total += n
		}
		steps := show.Plural(int64(total), "step")
		if n := r.Steps[runs.Cached]; n > 0 {
			steps += fmt.Sprintf(", %d cached", n)
		}
		p.printf("%s  %-8s %6s  %-20s  %s\n", r.Name, r.State, took(r.Started, r.Ended), steps, shortly(string(r.Asked)))
	}
	return p.Flush()
}

// took writes how long something took, "" while it goes on.
func took(from, to time.Time) string {
	if from.IsZero() || to.IsZero() {
		return ""
	}
	return show.Seconds(to.Sub(from))
}

// shortly gives the first words of a script, without comments, in one line.
func shortly(asked string) string {
	const most = 100
	var words []string
	for line := range strings.Lines(asked) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			words = append(words, strings.Fields(line)...)
		}
	}
	text := []rune(show.Clean(strings.Join(words, " "), false))
	if len(text) > most {
		return string(text[:most]) + "..."
	}
	return string(text)
}
