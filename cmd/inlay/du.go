package main

import (
	"context"

	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/spf13/cobra"
)

func (a *app) duCommand() *cobra.Command {
	return a.jsonFlag(&cobra.Command{
		Use:   "du",
		Short: "tell what the store holds",
		Example: `  inlay du
  inlay du --json | jq .reclaimable`,
		Args:              arguments(0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), "", func(ctx context.Context, s *session) error {
				s.working("count")
				u, err := s.embedded.Store().Du(ctx)
				if err != nil {
					return err
				}
				return s.du(u)
			})
		},
	})
}

func (s *session) du(u store.Usage) error {
	type count struct {
		Number int   `json:"number"`
		Bytes  int64 `json:"bytes"`
	}
	if s.json {
		return s.writeJSON(map[string]any{
			"store": s.embedded.Store().Dir(), "blobs": count(u.Blobs), "nodes": count(u.Nodes), "results": u.Results,
			"names": u.Refs, "runs": u.Runs, "logs": count(u.Logs), "ingest": count(u.Ingest), "roots": count(u.Roots),
			"corrupt": count(u.Corrupt), "database": u.Database, "reclaimable": u.Reclaimable,
		})
	}
	p := s.page()
	p.printf("store        %s\n", p.name(s.embedded.Store().Dir()))
	line := func(name string, c store.Count) { p.printf("%-12s %8d  %10s\n", name, c.Number, show.Size(c.Bytes)) }
	line("blobs", u.Blobs)
	line("nodes", u.Nodes)
	line("logs", u.Logs)
	line("roots", u.Roots)
	line("in writing", u.Ingest)
	line("set aside", u.Corrupt)
	p.printf("%-12s %8d\n%-12s %8d\n%-12s %8d\n", "names", u.Refs, "results", u.Results, "runs", u.Runs)
	p.printf("%-12s %8s  %10s\n", "database", "", show.Size(u.Database))
	p.printf("%-12s %8s  %10s\n", "reclaimable", "", show.Size(u.Reclaimable))
	return p.Flush()
}
