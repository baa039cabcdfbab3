package main

import (
	"context"
	"strconv"

	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/spf13/cobra"
)

func number(n int64) string { return strconv.FormatInt(n, 10) }

func (a *app) gcCommand() *cobra.Command {
	var keepBytes, keepLogs string
	var keepRuns int
	var all, dry bool
	c := &cobra.Command{
		Use:   "gc [--keep-bytes SIZE] [--keep-runs N] [--keep-logs SIZE] [--all] [--dry-run]",
		Short: "remove what nothing needs",
		Long: "Remove what no name, no result, no run and no running command needs. Without options\n" +
			"all results are kept, and the last 100 runs with up to 1 GiB of logs; the options say\n" +
			"how many. Other commands can work meanwhile.",
		Example: `  inlay gc
  inlay gc --keep-bytes 20G --keep-runs 100
  inlay gc --all`,
		Args:              arguments(0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var o store.GCOptions
			if all {
				o = store.GCOptions{KeepBytes: -1, KeepRuns: -1, KeepLogs: -1}
			}
			for _, l := range []struct {
				flag, text string
				to         *int64
			}{{"keep-bytes", keepBytes, &o.KeepBytes}, {"keep-logs", keepLogs, &o.KeepLogs}} {
				if !cmd.Flags().Changed(l.flag) {
					continue
				}
				n, err := show.ParseSize(l.text)
				if err != nil {
					return usageErrorf("--%s: %v", l.flag, err)
				}
				*l.to = limit(n)
			}
			if cmd.Flags().Changed("keep-runs") {
				if keepRuns < 0 {
					return usageErrorf("--keep-runs %d: want a number", keepRuns)
				}
				o.KeepRuns = int(limit(int64(keepRuns)))
			}
			if dry && o != (store.GCOptions{}) {
				return usageErrorf("--dry-run tells what gc without other options removes")
			}
			return a.with(cmd.Context(), "", func(ctx context.Context, s *session) error { return s.gc(ctx, o, dry) })
		},
	}
	c.Flags().StringVar(&keepBytes, "keep-bytes", "", "keep results up to this size, the most recently used first")
	c.Flags().IntVar(&keepRuns, "keep-runs", 0, "keep this many runs, the newest first")
	c.Flags().StringVar(&keepLogs, "keep-logs", "", "keep runs up to this size of logs, the newest first")
	c.Flags().BoolVar(&all, "all", false, "keep no results and no runs: only what names need")
	c.Flags().BoolVarP(&dry, "dry-run", "n", false, "tell how much would be removed")
	return a.jsonFlag(c)
}

// limit gives a limit as the store has it, for which 0 is no limit.
func limit(n int64) int64 {
	if n == 0 {
		return -1
	}
	return n
}

func (s *session) gc(ctx context.Context, o store.GCOptions, dry bool) error {
	if dry {
		s.working("count")
		u, err := s.embedded.Store().Du(ctx)
		if err != nil {
			return err
		}
		if s.json {
			return s.writeJSON(map[string]int64{"reclaimable": u.Reclaimable})
		}
		return s.text("", show.Size(u.Reclaimable)+" would be removed")
	}
	s.working("collect")
	r, err := s.embedded.Collect(ctx, o)
	if err != nil {
		return err
	}
	if s.json {
		return s.writeJSON(map[string]any{
			"blobs": r.Blobs, "blobBytes": r.BlobBytes, "nodes": r.Nodes, "nodeBytes": r.NodeBytes, "results": r.Results,
			"runs": r.Runs, "ingests": r.Ingests, "roots": r.Roots, "keptBytes": r.LiveBytes,
		})
	}
	p := s.page()
	p.printf("removed %s: %s, %s, %s, %s, %s\n", show.Size(r.BlobBytes+r.NodeBytes), show.Plural(int64(r.Blobs), "blob"),
		show.Plural(int64(r.Nodes), "node"), show.Plural(int64(r.Results), "result"), show.Plural(int64(r.Runs), "run"),
		show.Plural(int64(r.Roots), "root"))
	p.printf("kept %s\n", show.Size(r.LiveBytes))
	return p.Flush()
}
