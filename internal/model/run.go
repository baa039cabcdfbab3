package model

import (
	"context"
	"slices"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
)

// Run carries a case out. Of a diff it only gives what it is to come to.
func Run(k treetest.Case) treetest.Outcome {
	o, err := k.Compose(context.Background())
	return run(k.Dst, o, func(c *copier) {
		need(err == nil, treetest.Refused)
		c.from(New(k.Src))
		switch k.Verb {
		case "copy", "file", "directory":
			c.copy(k.From())
		case "merge":
			c.merge()
			if len(k.More) > 0 {
				c.from(New(k.More)).merge()
			}
		case "diff":
			c.FS = c.src
		case "remove":
			c.removeAll(k.Args)
		case "rename":
			c.rename(k.Args[0], k.Args[1])
		case "hardlink":
			c.hardlink(k.Args[0], k.Args[1])
		case "attr":
			c.setAttr(k.Args, k.Options.Shallow)
		case "glob":
			c.out.Found = c.glob(k.Args[0])
		}
	})
}

// run gives what becomes of a listing.
func run(l treetest.Listing, o compose.Options, change func(*copier)) (out treetest.Outcome) {
	c := &copier{FS: New(l), Options: o, out: &out}
	why := try(func() {
		change(c)
		need(o.Existing != compose.ExistingForbid || len(out.Forbidden) == 0, treetest.Forbidden)
	})
	slices.Sort(out.Forbidden)
	if why == treetest.Forbidden {
		return treetest.Outcome{Failure: treetest.Forbidden, Forbidden: out.Forbidden}
	} else if why != "" {
		return treetest.Outcome{Failure: string(why)}
	}
	out.Forbidden = nil
	out.Replaced = c.lost()
	out.Tree = c.Listing()
	return out
}

// lose notes that all that is at p goes, and something of a kind comes.
func (c *copier) lose(p string, now tree.Kind) {
	if was := c.FS[p].Kind; was != now || was == tree.KindDirectory {
		c.out.Replaced = append(c.out.Replaced, compose.Replacement{Path: p, Was: was, Now: now, Entries: c.count(p)})
	}
}

// count is how many entries stand at p and below it.
func (f FS) count(p string) int64 {
	return int64(len(f.paths(func(q string) bool { return within(q, p) })))
}

// lost gives what was lost, held against what is there now: of what was a
// directory and is one, what is below it alone, and that if there is less.
func (c *copier) lost() (out []compose.Replacement) {
	for _, r := range c.out.Replaced {
		r.Came = c.count(r.Path)
		if r.Was == r.Now {
			r.Entries, r.Came = r.Entries-1, r.Came-1
		}
		if r.Was != r.Now || r.Came < r.Entries {
			out = append(out, r)
		}
	}
	treetest.SortReplaced(out)
	return out
}
