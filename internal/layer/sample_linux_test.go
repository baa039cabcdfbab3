package layer_test

import (
	"testing"

	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
)

// The difference of two trees with what generators do not draw, such as large
// files, deep paths, high ids and file capabilities, is unpacked as it should be.
func TestTheDifferenceOfASampleIsUnpackedByOthers(t *testing.T) {
	m := newMemory()
	base := readSample(t, m, sample{nanoseconds: true, longNames: true, xattrs: true, devices: true, bigIDs: true, odd: true})
	after, err := apply(t.Context(), base, someChanges(m))
	if err != nil {
		t.Fatal(err)
	}
	// Some things mean something to overlayfs, or to layers.
	plain := func(tr tree.Tree) treetest.Listing {
		l := treetest.List(tr).Filter(func(i treetest.Item) bool { return i.Path != "/zz" && i.Path != "/.wh.x" })
		for n := range l {
			l[n].Attr.Xattrs = l[n].Attr.Xattrs.Without("trusted.overlay.x").Without("trusted.link")
			if l[n].Size > 0 {
				l[n].Text = string(m.blobs[l[n].Content])
			}
		}
		return l
	}
	was, now := plain(base), plain(after)
	for _, p := range diffPeers() {
		t.Run(p.name, func(t *testing.T) {
			if p.tool != "" {
				needTool(t, p.tool)
			}
			if d, _ := diffDifference(newWorkshop(t), p, was, now); d != "" {
				t.Errorf("-wanted +%s's\n%s", p.name, d)
			}
		})
	}
}
