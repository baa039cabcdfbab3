package treetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/tree"
)

// Outcome is what a case came to.
type Outcome struct {
	Tree    Listing // of dst, if it did not fail
	Found   []string
	Failure string // what kind of failure; "" if it did not fail
	Err     error  // its error

	Forbidden []string              // the paths that Existing: Forbid told of, sorted
	Replaced  []compose.Replacement // what was lost, sorted
}

// The failures of an outcome.
const (
	Loop      = "loop"
	NotDir    = "not a directory"
	Missing   = "missing"
	BadName   = "name"
	Forbidden = "forbidden"
	Refused   = "refused" // another one
)

// Texts opens what files hold by their digests.
type texts map[digest.Digest]string

// OpenContent gives a reader of a file's content.
func (t texts) OpenContent(_ context.Context, d digest.Digest) (io.ReadCloser, error) {
	s, ok := t[d]
	if !ok {
		return nil, fmt.Errorf("content %s: %w", d, fs.ErrNotExist)
	}
	return io.NopCloser(strings.NewReader(s)), nil
}

// Contents opens what the case's files hold.
func (c Case) Contents() tree.Contents {
	t := texts{}
	for _, l := range []Listing{c.Dst, c.Src, c.More} {
		for d, s := range l.Texts() {
			t[d] = s
		}
	}
	return t
}

// Epoch is the time of parents that the copies of cases make.
var Epoch = tree.Time{Sec: 7}

// Compose gives the options as compose has them.
func (c Case) Compose(ctx context.Context) (compose.Options, error) {
	o := compose.Options{
		Include: c.Options.Include, Exclude: c.Options.Exclude, Gitignore: c.Options.Gitignore,
		Overlay: c.Options.Overlay, KeepLink: c.Options.KeepLink, AllowEmpty: c.Options.AllowEmpty,
		File: c.Verb == "file", Contents: c.Verb == "directory", Epoch: Epoch, Bodies: c.Contents(),
	}
	if c.Options.Existing != "merge" {
		o.Existing = compose.Existing(c.Options.Existing)
	}
	if c.Options.Owner != "" {
		dst, err := c.Dst.Tree()
		if err != nil {
			return o, err
		}
		owner, err := compose.LookupOwner(ctx, c.Options.Owner, dst, c.Contents())
		if err != nil {
			return o, err
		}
		o.Owner = &owner
	}
	var err error
	if c.Options.Mode != "" {
		if o.Mode, err = compose.ParseMode(c.Options.Mode); err != nil {
			return o, err
		}
	}
	if c.Options.Time != "" {
		sec, err := strconv.ParseInt(c.Options.Time, 10, 64)
		if err != nil {
			return o, err
		}
		o.Time = &tree.Time{Sec: sec}
	}
	return o, nil
}

// From gives the source paths and the destination of a case that copies.
func (c Case) From() (from []string, to string) {
	if c.Verb == "directory" {
		return []string{"/"}, c.Args[0]
	}
	n := len(c.Args) - 1
	return c.Args[:n], c.Args[n]
}

// escaped is a character of a pattern that stands for itself.
var escaped = regexp.MustCompile(`(?s)\\([^/])`)

// Plain gives the path that a pattern stands for alone; ok is false if it is to be
// matched.
func Plain(p string) (itself string, ok bool) {
	if !strings.ContainsAny(p, "*?[") {
		return p, true
	}
	return Itself(p)
}

// Itself gives what a pattern, or a name of one, matches alone; ok is false if it
// may match something else.
func Itself(pattern string) (text string, ok bool) {
	return escaped.ReplaceAllString(pattern, "$1"), !strings.ContainsAny(escaped.ReplaceAllString(pattern, ""), `*?[\`)
}

// Run carries the case out by compose, and gives the tree as well.
func (c Case) Run(ctx context.Context) (Outcome, tree.Tree) {
	var out Outcome
	r, err := c.run(ctx, &out)
	if err != nil {
		out.fail(err)
		return out, tree.Tree{}
	}
	out.Replaced = r.Replaced
	SortReplaced(out.Replaced)
	out.Tree = List(r.Tree).WithTexts(c.Dst, c.Src, c.More)
	return out, r.Tree
}

// SortReplaced sorts by path.
func SortReplaced(r []compose.Replacement) {
	slices.SortStableFunc(r, func(a, b compose.Replacement) int { return strings.Compare(a.Path, b.Path) })
}

func (c Case) run(ctx context.Context, out *Outcome) (r compose.Result, err error) {
	o, err := c.Compose(ctx)
	if err != nil {
		return r, err
	}
	dst, err := c.Dst.Tree()
	if err != nil {
		return r, err
	}
	src, err := c.Src.Tree()
	if err != nil {
		return r, err
	}
	switch c.Verb {
	case "copy", "file", "directory":
		from, to := c.From()
		return compose.CopySeveral(ctx, dst, to, src, from, o)
	case "merge":
		return compose.Merge(ctx, append([]tree.Tree{dst, src}, c.more()...)...)
	case "diff":
		var ch tree.ChangeSet
		if ch, err = compose.Diff(ctx, dst, src); err == nil {
			return compose.Apply(ctx, dst, ch)
		}
	case "remove":
		r.Tree, err = compose.Remove(ctx, dst, c.Args)
	case "rename":
		return compose.Rename(ctx, dst, c.Args[0], c.Args[1], o)
	case "hardlink":
		return compose.Hardlink(ctx, dst, c.Args[0], c.Args[1], o)
	case "attr":
		a := compose.AttrChange{Owner: o.Owner, Mode: o.Mode, Time: o.Time, Shallow: c.Options.Shallow}
		r.Tree, err = compose.SetAttr(ctx, dst, c.Args, a)
	case "glob":
		r.Tree = dst
		out.Found, err = compose.Glob(ctx, dst, c.Args[0])
	}
	return r, err
}

func (c Case) more() []tree.Tree {
	if len(c.More) == 0 {
		return nil
	}
	return []tree.Tree{c.More.MustTree()}
}

func (out *Outcome) fail(err error) {
	var forbidden *compose.ForbidError
	out.Err = err
	switch {
	case errors.As(err, &forbidden):
		out.Failure, out.Forbidden = Forbidden, slices.Sorted(slices.Values(forbidden.Paths))
	case errors.Is(err, tree.ErrLoop):
		out.Failure = Loop
	case errors.Is(err, tree.ErrName):
		out.Failure = BadName
	case errors.Is(err, tree.ErrNotDirectory):
		out.Failure = NotDir
	case errors.Is(err, fs.ErrNotExist):
		out.Failure = Missing
	default:
		out.Failure = Refused
	}
}
