package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/aymanbagabas/go-udiff"
	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/inlaybuild/inlay/tree"
)

const (
	// maxPatched is the greatest size of a file whose lines are compared.
	maxPatched = 8 << 20
	// around is how many equal lines are shown around those that differ.
	around = 3
)

// patch compares the lines of files before and after, as unified diffs: of a file,
// and of those of a directory that is gone; "" if there is none, or they hold the
// same. What is no text is only said to differ.
func (s *session) patch(ctx context.Context, d difference) (string, error) {
	text, err := s.patchFile(ctx, string(d.Path), d.was, d.now)
	for _, g := range d.gone {
		if err != nil {
			return "", err
		}
		var more string
		more, err = s.patchFile(ctx, g.path, g.file, nil)
		text += more
	}
	return text, err
}

func (s *session) patchFile(ctx context.Context, at string, before, after tree.Entry) (string, error) {
	was, wasFile := before.(tree.File)
	now, isFile := after.(tree.File)
	if !wasFile && !isFile || wasFile && isFile && was.Content == now.Content || was.Size+now.Size == 0 {
		return "", nil
	}
	names := [2]string{"a" + at, "b" + at}
	if !wasFile {
		names[0] = "/dev/null"
	}
	if !isFile {
		names[1] = "/dev/null"
	}
	for i, n := range names {
		names[i] = show.Quote(n) // a newline in it would be taken for one of the diff
	}
	var text [2]string
	for i, f := range []tree.File{was, now} {
		if f.Size > maxPatched {
			return fmt.Sprintf("Files %s and %s differ, and are too large to be compared by line\n", names[0], names[1]), nil
		}
		b, err := s.read(ctx, f)
		if err != nil {
			return "", err
		}
		if bytes.IndexByte(b, 0) >= 0 {
			return fmt.Sprintf("Binary files %s and %s differ\n", names[0], names[1]), nil
		}
		text[i] = string(b)
	}
	return udiff.ToUnified(names[0], names[1], text[0], udiff.Lines(text[0], text[1]), around)
}

func (s *session) read(ctx context.Context, f tree.File) ([]byte, error) {
	if f.Size == 0 {
		return nil, nil
	}
	r, err := s.embedded.OpenContent(ctx, f.Content)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// patch writes a unified diff: to a terminal nothing that would steer it.
func (p *page) patch(text string) {
	for line := range strings.Lines(text) {
		if p.terminal {
			line = show.Clean(strings.TrimSuffix(line, "\n"), false) + "\n"
		}
		p.WriteString(line)
	}
}
