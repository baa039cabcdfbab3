package main

import (
	"context"

	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/spf13/cobra"
)

func (a *app) importCommand() *cobra.Command {
	var o embedded.ImportOptions
	c := &cobra.Command{
		Use:   "import [--platform OS/ARCH | --all-platforms] SRC NAME",
		Short: "bring an image or a tree into the store under a name",
		Long:  "Bring an image or a tree into the store under a name, which then is a SRC itself.\nThe layers of an image are kept as they are: an export of it has the same digests.\n\n" + sources,
		Example: `  inlay import oci:./debian debian:12
  inlay import docker-archive:image.tar tool:latest
  inlay import dir:./rootfs root
  curl -s https://example.org/root.tar.gz | inlay import tar:- root`,
		Args:              sourced(1, 2, 2),
		ValidArgsFunction: a.completeSources(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			from, err := place(args[0])
			if err != nil {
				return err
			}
			if err := embedded.CheckName(args[1]); err != nil {
				return usageError{err}
			}
			return a.imports(cmd.Context(), from, args[1], o)
		},
	}
	importFlags(c, &o)
	return a.jsonFlag(c)
}

func importFlags(c *cobra.Command, o *embedded.ImportOptions) {
	platformFlag(c, &o.Platform)
	c.Flags().BoolVar(&o.AllPlatforms, "all-platforms", false, "every platform of an image that has several")
	c.Flags().BoolVar(&o.PlainHTTP, "plain-http", false, "pull without TLS; from this machine it is not needed")
}

// imports is import and pull.
func (a *app) imports(ctx context.Context, from engine.Place, name string, o embedded.ImportOptions) error {
	if o.AllPlatforms && o.Platform != "" {
		return usageErrorf("--platform and --all-platforms exclude each other")
	}
	return a.with(ctx, "", func(ctx context.Context, s *session) error {
		o.Progress = s.display
		i, err := s.embedded.Import(ctx, from, name, o)
		if err != nil {
			return err
		}
		return s.imported(i)
	})
}

func (s *session) imported(i embedded.Imported) error {
	if s.json {
		v := map[string]any{"name": i.Name, "tree": i.Tree.String(), "platforms": i.Platforms, "layers": i.Layers, "entries": i.Entries, "bytes": i.Bytes}
		if i.Image != nil {
			v["manifest"] = i.Image.Digest.String()
		}
		return s.writeJSON(v)
	}
	p := s.page()
	p.printf("%s  %s  %s, %s", p.name(i.Name), i.Tree, show.Plural(i.Entries, "entry"), show.Size(i.Bytes))
	if i.Layers > 0 {
		p.printf(", %s", show.Plural(int64(i.Layers), "layer"))
	}
	p.WriteByte('\n')
	return p.Flush()
}
