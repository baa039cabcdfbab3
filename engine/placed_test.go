package engine_test

import (
	"fmt"
	"testing"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/tree"
)

// Of very many placements those are kept that say something, in order.
func TestPlacementsAreBoundedAndTheSignificantComeFirst(t *testing.T) {
	var all []compose.Placement
	for i := range 5000 {
		all = append(all, compose.Placement{Action: compose.Graft, To: fmt.Sprintf("/%d", i), Entry: tree.File{}})
	}
	hop := []tree.Hop{{Path: "/bin", Target: "usr/bin"}}
	all[4000].Hops = hop
	all[4500].Replaced = tree.Empty()
	p := engine.NewPlacements(all)
	if n := len(p.List); n != 52 || p.More != int64(5000-n) || p.List[49].To != "/49" || p.List[50].To != "/4000" || p.List[51].Was != tree.KindDirectory {
		t.Errorf("%d kept, %d more, the last %+v", n, p.More, p.List[n-1])
	}
	if few := p.First(3); len(few.List) != 3 || few.More != 4997 || few.List[0].To != "/0" || few.List[1].To != "/4000" {
		t.Errorf("%+v", few)
	}
	for i := range all {
		all[i].Hops = hop
	}
	if p = engine.NewPlacements(all); len(p.List) != engine.MaxPlacements || p.More != 4000 {
		t.Errorf("%d kept, %d more", len(p.List), p.More)
	}
}
