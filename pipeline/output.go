package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/tree"
)

// maxText is the greatest size of a content that becomes text in $(...).
const maxText = 16 << 20

var errTooLarge = errors.New("more than 16 MiB")

// Output is what a word printed: one of the types of this file. Who runs a
// script decides how it looks.
type Output interface {
	// text gives the output as $(...) has it.
	text(context.Context) (string, error)
}

// Text is one line: a digest, an exit code.
type Text struct {
	Name string // what it is, such as "digest"
	Text string
}

// Content is bytes as they are: a file, or what a process said.
type Content struct {
	Name string // what it is, such as "stdout"
	Size int64
	Open func(context.Context) (io.ReadCloser, error)
}

// Names is paths, or names in a directory.
type Names struct {
	Names []string
}

// Stat is one entry.
type Stat struct {
	Path  string
	Entry tree.Entry
}

// Listing is a tree that is to be shown as one.
type Listing struct {
	Path string
	Tree tree.Tree
}

// Changes is a change set, and the trees that it is between.
type Changes struct {
	From, To tree.Tree
}

// Exported is what a word wrote. It is a fact, not something asked for.
type Exported struct {
	engine.Exported
}

func (o Text) text(context.Context) (string, error) { return o.Text + "\n", nil }

func (o Names) text(context.Context) (string, error) {
	return strings.Join(o.Names, "\n") + "\n", nil
}

func (o Content) text(ctx context.Context) (string, error) {
	if o.Size > maxText {
		return "", fmt.Errorf("%s is %w: too much for $(...)", o.Name, errTooLarge)
	}
	r, err := o.Open(ctx)
	if err != nil {
		return "", err
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, maxText))
	return string(b), err
}

func (Exported) text(context.Context) (string, error) { return "", nil }

var errNoText = errors.New("cannot be used as text in $(...); stdout, stderr, exit-code, digest, entries, glob and contents can")

func (Stat) text(context.Context) (string, error)    { return "", errNoText }
func (Listing) text(context.Context) (string, error) { return "", errNoText }
func (Changes) text(context.Context) (string, error) { return "", errNoText }
