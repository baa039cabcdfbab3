package layer_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/internal/treetest"
)

// ownDifference is something that a peer does in its own way. It excuses a stack
// that the peer refuses, all at and below some paths, or some attributes of one
// entry; whatever else there is is compared. At least one function is set.
type ownDifference struct {
	why string
	// refuses tells whether this is why the peer refused a stack.
	refuses func(c *comparison, err error) bool
	// where gives the paths at and below which the peer has its own tree.
	where func(c *comparison) []string
	// forgive makes the same what differs in the entries that the peer has and
	// should have, as far as that is the peer's own.
	forgive func(c *comparison, got, want *treetest.Item)
}

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

// peerDifference tells how what the peer makes of a stack differs from what we
// do, its own differences aside; "" if it does not.
func peerDifference(w *workshop, p peer, s treetest.Stack) (string, map[string]bool) {
	want, err := composed(w.t.Context(), s)
	if err != nil {
		return "", nil // the peer may be less strict
	}
	c, err := newComparison(s, want)
	if err != nil {
		return fmt.Sprintf("by the rules it is refused: %v", err), nil
	}
	got, err := p.unpack(w, s)
	return c.with(p, got, err), c.excuses
}

func isUnpackedAlikeBy(t *testing.T, name string, s treetest.Stack) {
	t.Helper()
	agrees(newWorkshop(t), peerNamed(t, name), s)
}

// agrees fails the test when the peer differs, and gives what was excused.
func agrees(w *workshop, p peer, s treetest.Stack) map[string]bool {
	w.t.Helper()
	d, excused := peerDifference(w, p, s)
	if d == "" {
		return excused
	}
	small := treetest.ShrinkStack(s, func(s treetest.Stack) bool {
		d, _ := peerDifference(w, p, s)
		return d != ""
	})
	smaller, _ := peerDifference(w, p, small)
	w.t.Fatalf("%s\n-ours +%s's\n%s\nbefore it was made small:\n%s", small.Test("isUnpackedAlikeBy", p.name), p.name, smaller, d)
	return nil
}

func peerNamed(t *testing.T, name string) peer {
	t.Helper()
	for _, p := range peers() {
		if p.name == name {
			return p
		}
	}
	t.Fatalf("there is no peer %s", name)
	return peer{}
}

// Other people's programs make of a stack of layers what we do.
func TestStacksAreUnpackedByOthersAsTheyAreRead(t *testing.T) {
	for _, p := range peers() {
		t.Run(p.name, func(t *testing.T) {
			w := newWorkshop(t)
			if p.tool != "" {
				needTool(t, p.tool)
			}
			excused := map[string]int{}
			n := long(300, 10_000)
			for seed := range n {
				for why := range agrees(w, p, treetest.Seeded(uint64(seed)).Stack(p.limits)) {
					excused[why]++
				}
			}
			logExcused(t, p.name, n, excused)
		})
	}
}
