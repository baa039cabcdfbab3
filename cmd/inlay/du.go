package main

import (
	"context"

	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/spf13/cobra"
)

func (a *app) duCommand() *cobra.Command {
	d := usageOf{}
	c := &cobra.Command{
		Use:   "du [--depth N] [-n N] [SRC [PATH]]",
		Short: "tell what takes the space, in the store or in a tree",
		Long: "Tell what the store holds; or of a SRC, or a directory or file in it, what takes the\n" +
			"space: its largest directories and files, and if it is a step of a run, which steps\n" +
			"brought that. A file counts for the step since which it has been at its path with that\n" +
			"content. One with several names counts once. A symlink at PATH is followed; one that\n" +
			"leads nowhere takes no bytes.\n\n" + sources,
		Example: `  inlay du
  inlay du --json | jq .reclaimable
  inlay du last
  inlay du --depth 2 debian:12 /usr`,
		Args: func(cmd *cobra.Command, args []string) error {
			return sourced(min(len(args), 1), 0, 2)(cmd, args)
		},
		ValidArgsFunction: a.completeSources(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if d.depth < 0 || d.most < 0 {
				return usageErrorf("--depth and -n want numbers that are not negative")
			}
			return a.with(cmd.Context(), "", func(ctx context.Context, s *session) error {
				if len(args) > 0 {
					d.session = s
					return d.tell(ctx, args[0], pathOf(args))
				}
				s.working("count")
				u, err := s.embedded.Store().Du(ctx)
				if err != nil {
					return err
				}
				return s.du(u)
			})
		},
	}
	c.Flags().IntVar(&d.depth, "depth", 1, "of SRC: how many levels of directories are told of")
	c.Flags().IntVarP(&d.most, "number", "n", 20, "of SRC: how many paths are told of, the largest first; 0 for all")
	platformFlag(c, &d.platform)
	return a.jsonFlag(c)
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
