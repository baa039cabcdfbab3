package layer_test

import (
	"fmt"
	"testing"

	"github.com/inlaybuild/inlay/internal/treetest"
)

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
			t.Parallel()
			w := newWorkshop(t)
			if p.tool != "" {
				needTool(t, p.tool)
			}
			excused := map[string]int{}
			n := long(100, 3000)
			for seed := range n {
				limits := p.limits
				limits.Tidy = seed%2 == 0
				for why := range agrees(w, p, treetest.Seeded(uint64(seed)).Stack(limits)) {
					excused[why]++
				}
			}
			logExcused(t, p.name, n, excused)
		})
	}
}
