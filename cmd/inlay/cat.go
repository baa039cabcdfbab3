package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"

	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/inlaybuild/inlay/tree"
	"github.com/spf13/cobra"
)

func (a *app) catCommand() *cobra.Command {
	var platform string
	var raw bool
	c := &cobra.Command{
		Use:   "cat SRC PATH...",
		Short: "write what files hold",
		Long: "Write what the files at PATH hold, symlinks followed inside SRC. To a terminal, control\n" +
			"sequences but colours are left out, unless --raw is given; elsewhere bytes are as they are.\n\n" + sources,
		Example: `  inlay cat debian:12 /etc/os-release
  inlay cat oci:out /usr/bin/tool > tool`,
		Args:              sourced(1, 2, -1),
		ValidArgsFunction: a.completeSources(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd.Context(), "", func(ctx context.Context, s *session) error {
				r, err := s.result(ctx, args[0], platform)
				if err != nil {
					return err
				}
				for _, p := range args[1:] {
					if err := s.cat(ctx, r.Tree, p, raw); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	c.Flags().BoolVar(&raw, "raw", false, "write control sequences to a terminal too")
	platformFlag(c, &platform)
	return a.jsonFlag(c)
}

func (s *session) cat(ctx context.Context, t tree.Tree, path string, raw bool) error {
	e, err := entryAt(ctx, t, path, tree.FollowAll)
	if err != nil {
		return err
	}
	f, ok := e.(tree.File)
	if !ok {
		return &fs.PathError{Op: "read", Path: path, Err: errors.New("it is a " + e.Kind().String())}
	}
	return s.content(ctx, "contents", f.Size, raw, func(ctx context.Context) (io.ReadCloser, error) {
		return s.embedded.OpenContent(ctx, f.Content)
	})
}

// maxJSON is the greatest content that is written as JSON.
const maxJSON = 64 << 20

// content writes bytes from anywhere.
func (s *session) content(ctx context.Context, name string, size int64, raw bool, open func(context.Context) (io.ReadCloser, error)) error {
	if s.json && size > maxJSON {
		return errors.New("more than 64 MiB are too much for --json")
	}
	var r io.Reader = eof{}
	if size > 0 {
		rc, err := open(ctx)
		if err != nil {
			return err
		}
		defer rc.Close()
		r = rc
	}
	if s.json {
		b, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		return s.writeJSON(map[string]show.Bytes{name: show.Bytes(b)})
	}
	p := s.page()
	if p.terminal && !raw {
		whole, err := cleaned(p.Writer, r)
		if err != nil {
			return err
		}
		if s.prompting && !whole { // a prompt begins a line
			p.WriteByte('\n')
		}
		return p.Flush()
	}
	_, err := io.Copy(s.stdout, r)
	return err
}

type eof struct{}

func (eof) Read([]byte) (int, error) { return 0, io.EOF }

// cleaned writes lines without what steers a terminal, and tells whether the last
// one has ended.
func cleaned(w *bufio.Writer, r io.Reader) (whole bool, err error) {
	in := bufio.NewReaderSize(r, 64<<10)
	whole = true
	for {
		line, err := in.ReadSlice('\n')
		ended := len(line) > 0 && line[len(line)-1] == '\n'
		if ended {
			line = line[:len(line)-1]
		}
		w.WriteString(show.Clean(string(line), true))
		if ended {
			w.WriteByte('\n')
		}
		if len(line) > 0 || ended {
			whole = ended
		}
		switch {
		case errors.Is(err, io.EOF):
			return whole, nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return whole, err
		}
	}
}
