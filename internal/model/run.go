package model

import (
	"context"
	"errors"
	"slices"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
)

// Run carries a case out.
func Run(c treetest.Case) treetest.Outcome {
	out := treetest.Outcome{}
	o, err := c.Compose(context.Background())
	m := &Copier{To: New(c.Dst), Options: o}
	if err == nil {
		err = m.run(c, &out)
	}
	if err != nil {
		out.Err, out.Failure = err, treetest.Refused
		for is, failure := range map[error]string{
			ErrLoop: treetest.Loop, ErrNotDir: treetest.NotDir, ErrMissing: treetest.Missing,
			ErrName: treetest.BadName, ErrForbid: treetest.Forbidden,
		} {
			if errors.Is(err, is) {
				out.Failure = failure
			}
		}
		if err == ErrForbid {
			out.Forbidden = slices.Sorted(slices.Values(m.Overwritten))
		}
		return out
	}
	out.Replaced = m.Replaced
	treetest.SortReplaced(out.Replaced)
	out.Tree = m.To.Listing()
	return out
}

func (c *Copier) run(k treetest.Case, out *treetest.Outcome) (err error) {
	switch k.Verb {
	case "copy", "file", "directory":
		from, to := k.From()
		return c.Copy(to, New(k.Src), from)
	case "merge":
		for _, over := range []treetest.Listing{k.Src, k.More} {
			if len(over) > 0 && err == nil {
				err = c.To.Merge(New(over))
			}
		}
	case "diff":
		// The diff is the code's; that it makes one of the other is the law.
		var ch tree.ChangeSet
		if ch, err = compose.Diff(context.Background(), k.Dst.MustTree(), k.Src.MustTree()); err == nil {
			err = c.To.Apply(ch)
		}
	case "remove":
		return c.To.Remove(k.Args)
	case "rename":
		return c.Rename(k.Args[0], k.Args[1])
	case "hardlink":
		return c.Hardlink(k.Args[0], k.Args[1])
	case "attr":
		return c.To.SetAttr(k.Args, c.Options, k.Options.Shallow)
	case "glob":
		out.Found, err = c.To.Glob(k.Args[0])
	}
	return err
}
