package main

import (
	"context"

	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/tree"
	"github.com/spf13/cobra"
)

func (a *app) digestCommand() *cobra.Command {
	var platform string
	c := &cobra.Command{
		Use:   "digest SRC [PATH]",
		Short: "write the digest of a tree or of a file's content",
		Long: "Write the digest of the directory at PATH: of its attributes and of all that it holds.\n" +
			"Equal directories have equal digests, however they were made. Of a file it is the\n" +
			"SHA-256 of what it holds.\n\n" + sources,
		Example: `  inlay digest debian:12
  inlay digest oci:out /usr/bin/tool`,
		Args:              sourced(1, 1, 2),
		ValidArgsFunction: a.completeSources(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd.Context(), "", func(ctx context.Context, s *session) error {
				e, err := s.knownAt(ctx, args[0], platform, pathOf(args), tree.FollowAll)
				if err != nil {
					return err
				}
				switch e := e.(type) {
				case tree.Tree:
					return s.text("digest", e.Digest().String())
				case tree.File:
					d := e.Content
					if e.Size == 0 {
						d = digest.Of(nil) // files without content carry none
					}
					return s.text("digest", d.String())
				}
				return usageErrorf("%s is a %s: only directories and files have a digest", show.Quote(args[1]), e.Kind())
			})
		},
	}
	platformFlag(c, &platform)
	return a.jsonFlag(c)
}

// text writes one line.
func (a *app) text(name, text string) error {
	if a.json {
		return a.writeJSON(map[string]string{name: text})
	}
	p := a.page()
	p.WriteString(text + "\n")
	return p.Flush()
}
