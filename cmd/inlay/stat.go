package main

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/inlaybuild/inlay/tree"
	"github.com/spf13/cobra"
)

func (a *app) statCommand() *cobra.Command {
	var platform string
	var follow bool
	c := &cobra.Command{
		Use:   "stat [-L] SRC [PATH]",
		Short: "describe an entry",
		Long:  "Describe what stands at PATH: a symlink itself, unless -L is given.\n\n" + sources,
		Example: `  inlay stat debian:12 /bin
  inlay stat -L debian:12 /bin
  inlay stat --json oci:out /usr/bin/tool`,
		Args:              sourced(1, 1, 2),
		ValidArgsFunction: a.completeSources(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd.Context(), "", func(ctx context.Context, s *session) error {
				how := tree.FollowParents
				if follow {
					how = tree.FollowAll
				}
				e, err := s.knownAt(ctx, args[0], platform, pathOf(args), how)
				if err != nil {
					return err
				}
				return s.stat(pathOf(args), e)
			})
		},
	}
	c.Flags().BoolVarP(&follow, "dereference", "L", false, "what a symlink leads to")
	platformFlag(c, &platform)
	return a.jsonFlag(c)
}

// stat writes what an entry is.
func (s *session) stat(path string, e tree.Entry) error {
	if s.json {
		return s.writeJSON(show.EntryOf(path, e, true))
	}
	p := s.page()
	at := e.Attr()
	p.printf("path    %s\n", p.name(path))
	p.printf("kind    %s\n", e.Kind())
	p.printf("mode    %04o %s\n", at.Mode, show.Mode(e))
	p.printf("owner   %d:%d\n", at.UID, at.GID)
	p.printf("time    %s\n", at.ModTime.Std().Format(time.RFC3339Nano))
	switch e := e.(type) {
	case tree.File:
		p.printf("size    %s\n", byteCount(e.Size))
		if e.Size > 0 {
			p.printf("content %s\n", e.Content)
		}
	case tree.Symlink:
		p.printf("target  %s\n", p.name(e.Target))
	case tree.Device:
		p.printf("device  %d:%d\n", e.Major, e.Minor)
	case tree.Tree:
		p.printf("entries %d, %d with all below\n", e.Len(), e.Count())
		p.printf("size    %s in all files\n", byteCount(e.Bytes()))
		p.printf("digest  %s\n", e.Digest())
	}
	for k, v := range at.Xattrs.All() {
		p.printf("xattr   %s=%s\n", p.name(k), strconv.QuoteToASCII(v))
	}
	return p.Flush()
}

// byteCount writes a number of bytes exactly, and for people.
func byteCount(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d", n)
	}
	return fmt.Sprintf("%d (%s)", n, show.Size(n))
}
