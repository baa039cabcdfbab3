package treetest

import (
	"path"
	"slices"

	"github.com/inlaybuild/inlay/tree"
)

// Shrink gives a case that still fails and is as small as leaving things out
// makes it: entries, options, arguments, attributes. It asks fails many times.
func Shrink(c Case, fails func(Case) bool) Case {
	for again := true; again; {
		again = false
		for _, smaller := range c.smaller() {
			if !fails(smaller) {
				continue
			}
			c, again = smaller, true
			break
		}
	}
	return c
}

// smaller gives cases that are simpler in one thing, the boldest first.
func (c Case) smaller() []Case {
	var out []Case
	add := func(change func(*Case)) {
		s := c
		s.Args = slices.Clone(c.Args)
		s.Options.Include, s.Options.Exclude = slices.Clone(c.Options.Include), slices.Clone(c.Options.Exclude)
		change(&s)
		out = append(out, s)
	}
	for _, side := range []func(*Case) *Listing{
		func(c *Case) *Listing { return &c.More },
		func(c *Case) *Listing { return &c.Src },
		func(c *Case) *Listing { return &c.Dst },
	} {
		for _, l := range (*side(&c)).smaller() {
			add(func(c *Case) { *side(c) = l })
		}
	}
	values, lists, switches := c.Options.flags()
	for f, v := range values {
		if *v != "" {
			add(func(c *Case) { v, _, _ := c.Options.flags(); *v[f] = "" })
		}
	}
	for f, l := range lists {
		for n := range *l {
			add(func(c *Case) {
				_, l, _ := c.Options.flags()
				*l[f] = slices.Delete(*l[f], n, n+1)
			})
		}
	}
	for f, s := range switches {
		if *s {
			add(func(c *Case) { _, _, s := c.Options.flags(); *s[f] = false })
		}
	}
	if least, _ := arity(c.Verb); len(c.Args) > least {
		for n := range len(c.Args) - 1 {
			add(func(c *Case) { c.Args = slices.Delete(c.Args, n, n+1) })
		}
	}
	return out
}

// smaller gives listings with less in them.
func (l Listing) smaller() []Listing {
	var out []Listing
	add := func(s Listing) {
		if len(s) > 0 && !slices.Equal(s, l) {
			out = append(out, s)
		}
	}
	// Halves first: few things matter.
	for size := len(l) / 2; size >= 1; size /= 2 {
		for from := 1; from < len(l); from += size {
			gone := map[string]bool{}
			for _, i := range l[from:min(from+size, len(l))] {
				gone[i.Path] = true
			}
			add(l.without(gone))
		}
	}
	for n, i := range l {
		plain := func(change func(*Item)) {
			s := slices.Clone(l)
			for m := range s {
				if m == n || s[m].Same != "" && (s[m].Same == i.Path || s[m].Same == i.Same) || s[m].Path == i.Same {
					change(&s[m])
				}
			}
			add(s)
		}
		if i.Attr != defaults(i.Kind) {
			plain(func(i *Item) { i.Attr = defaults(i.Kind) })
		}
		if i.Same != "" {
			s := slices.Clone(l)
			s[n].Same = ""
			s.Sort()
			add(s)
		}
		if i.Kind != tree.KindDirectory && i.Kind != tree.KindSymlink && i.Kind != tree.KindFile {
			plain(func(i *Item) {
				*i = Item{Path: i.Path, Same: i.Same, Kind: tree.KindFile, Attr: defaults(tree.KindFile)}
			})
		}
	}
	return out
}

// without gives the listing without paths and what is below them.
func (l Listing) without(gone map[string]bool) Listing {
	return l.Filter(func(i Item) bool {
		for p := i.Path; p != "/"; p = path.Dir(p) {
			if gone[p] {
				return false
			}
		}
		return true
	})
}
