package layer_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/internal/treetest"
)

// comparison is a stack, and what is to come of it.
type comparison struct {
	stack   treetest.Stack
	below   []treetest.Listing // what each layer lies on
	want    treetest.Listing
	excuses map[string]bool // the differences that were met
}

func newComparison(s treetest.Stack, want treetest.Listing) (*comparison, error) {
	c := &comparison{stack: s, want: want, excuses: map[string]bool{}}
	var below treetest.Listing
	for _, l := range s {
		c.below = append(c.below, below)
		var err error
		if below, err = l.On(below); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// with gives what differs and is not excused; "" if nothing is.
func (c *comparison) with(p peer, got treetest.Listing, err error) string {
	if err != nil {
		for _, d := range p.own {
			if d.refuses != nil && d.refuses(c, err) {
				c.excuses[d.why] = true
				return ""
			}
		}
		return fmt.Sprintf("%s refuses it: %v", p.name, err)
	}
	want := c.want
	if got.Equal(want) {
		return ""
	}
	for _, d := range p.own {
		if d.where == nil {
			continue
		}
		paths := d.where(c)
		others := func(i treetest.Item) bool { return !atOrBelow(i.Path, paths) }
		fewer, have := want.Filter(others), got.Filter(others)
		if treetest.Differences(got, want) != treetest.Differences(have, fewer) {
			c.excuses[d.why] = true
		}
		want, got = fewer, have
	}
	return c.entries(p, slices.Clone(got), slices.Clone(want))
}

// entries compares what is left entry by entry.
func (c *comparison) entries(p peer, got, want treetest.Listing) string {
	for n := range want {
		g := got.Find(want[n].Path)
		if g == nil {
			continue
		}
		for _, d := range p.own {
			if d.forgive != nil {
				was, wanted := *g, want[n]
				if d.forgive(c, g, &want[n]); *g != was || want[n] != wanted {
					c.excuses[d.why] = true
				}
			}
		}
	}
	return treetest.Differences(got, want)
}

func atOrBelow(p string, paths []string) bool {
	return slices.ContainsFunc(paths, func(at string) bool {
		return p == at || at == "/" || strings.HasPrefix(p, at+"/")
	})
}
