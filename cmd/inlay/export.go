package main

import (
	"context"
	"slices"

	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/inlaybuild/inlay/engine"
	"github.com/spf13/cobra"
)

func (a *app) exportCommand() *cobra.Command {
	var w writer
	c := &cobra.Command{
		Use:   "export [--compression HOW] [--existing HOW] SRC DEST",
		Short: "write an image or a tree as an image, a tar or a directory",
		Long: "Write what SRC names. Layers of an image are written as they are, and the same input\n" +
			"gives the same bytes on any machine.\n\n" + sources + "\n\n" + destinations,
		Example: `  inlay export debian:12 oci:./debian:12
  inlay export debian:12 tar:- | tar t
  inlay export --existing replace oci:out dir:./rootfs
  inlay export --all-platforms tool oci-archive:tool.tar`,
		Args:              sourced(1, 2, 2),
		ValidArgsFunction: a.completeSources(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			to, err := destination(args[1])
			if err != nil {
				return err
			}
			return w.run(cmd.Context(), a, args[0], to)
		},
	}
	w.flags(c)
	c.Flags().StringVar(&w.existing, "existing", "", "what becomes of a directory that is not empty: merge or replace; otherwise it is refused")
	_ = c.RegisterFlagCompletionFunc("existing", cobra.FixedCompletions([]string{"merge", "replace"}, cobra.ShellCompDirectiveNoFileComp))
	return a.jsonFlag(c)
}

// writer is one run of export or push.
type writer struct {
	compression, existing, platform string
	plain, all                      bool
}

func (w *writer) flags(c *cobra.Command) {
	platformFlag(c, &w.platform)
	c.Flags().StringVar(&w.compression, "compression", "gzip", "of new layers: gzip, zstd or none")
	c.Flags().BoolVar(&w.plain, "plain-http", false, "push without TLS; to this machine it is not needed")
	c.Flags().BoolVar(&w.all, "all-platforms", false, "every platform of an image that was imported so")
	_ = c.RegisterFlagCompletionFunc("compression", cobra.FixedCompletions([]string{"gzip", "zstd", "none"}, cobra.ShellCompDirectiveNoFileComp))
}

func (w *writer) run(ctx context.Context, a *app, src string, to engine.Place) error {
	if !slices.Contains([]string{"", "merge", "replace"}, w.existing) {
		return usageErrorf("--existing %s: want merge or replace", w.existing)
	}
	o := engine.ExportOptions{PlainHTTP: w.plain, AllPlatforms: w.all, Existing: w.existing}
	switch w.compression {
	case "gzip":
	case "zstd":
		o.Compression = engine.Zstd
	case "none":
		o.Compression = engine.Uncompressed
	default:
		return usageErrorf("--compression %s: want gzip, zstd or none", w.compression)
	}
	return a.with(ctx, "", func(ctx context.Context, s *session) error {
		r, err := s.result(ctx, src, w.platform)
		if err != nil {
			return err
		}
		o.Progress = s.display
		done, err := s.embedded.Export(ctx, r, to, o)
		if err != nil {
			return err
		}
		if to.Path == "-" && to.Scheme != engine.SchemeName {
			return nil // standard output is the export
		}
		return s.exported(done)
	})
}

// exportedLine is what was written, in JSON.
type exportedLine struct {
	Place     string   `json:"place"`
	Manifest  string   `json:"manifest,omitempty"`
	NewLayer  string   `json:"newLayer,omitempty"`
	Reused    *int     `json:"reusedLayers,omitempty"` // nil if a daemon wrote it
	Platforms []string `json:"platforms,omitempty"`
}

func exportedOf(e engine.Exported) exportedLine {
	l := exportedLine{Place: e.Place, Platforms: e.Platforms}
	if e.Reused >= 0 {
		l.Reused = &e.Reused
	}
	if e.Image != nil {
		l.Manifest = e.Image.Digest.String()
	}
	if e.NewLayer != nil {
		l.NewLayer = e.NewLayer.Digest.String()
	}
	return l
}

// exported writes what was written.
func (s *session) exported(e engine.Exported) error {
	if s.json {
		return s.writeJSON(exportedOf(e))
	}
	p := s.page()
	p.WriteString(written(e) + "\n")
	return p.Flush()
}

// written says in one line what was written.
func written(e engine.Exported) string {
	text := show.Quote(e.Place)
	if e.Image != nil {
		text += "  " + e.Image.Digest.String() + "  "
		if e.Reused < 0 {
			return text + "by the daemon"
		}
		text += show.Plural(int64(e.Reused), "layer")
		if e.NewLayer != nil {
			text += " and a new one of " + show.Size(e.NewLayer.Size)
		}
	}
	return text
}
