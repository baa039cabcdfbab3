package layer_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
)

// mergeDifference tells how what Merge makes of trees differs from what
// overlayfs shows of them as lower directories.
func mergeDifference(w *workshop, lists []treetest.Listing) string {
	var trees []tree.Tree
	for _, l := range lists {
		trees = append(trees, l.MustTree())
	}
	merged, err := compose.Merge(w.t.Context(), trees...)
	if err != nil {
		return err.Error()
	}
	var got treetest.Listing
	err = w.fresh(func(dir string) error {
		var lowers []string
		for n, l := range lists {
			at := filepath.Join(dir, fmt.Sprint(n))
			if err := treetest.Write(l, at); err != nil {
				return err
			}
			lowers = append(lowers, at)
		}
		got, err = w.readOverlay(lowers)
		return err
	})
	if err != nil {
		return err.Error()
	}
	return treetest.Differences(treetest.List(merged.Tree), got)
}

// Trees that are merged are what overlayfs shows of them as lower directories,
// the last uppermost.
func TestMergedTreesAreWhatOverlayfsShows(t *testing.T) {
	w := newWorkshop(t)
	n := long(400, 10_000)
	for seed := range n {
		from := treetest.Seeded(uint64(seed))
		var lists []treetest.Listing
		for range 2 + seed%3 {
			lists = append(lists, from.Listing(treetest.Limits{Disk: true}))
		}
		if d := mergeDifference(w, lists); d != "" {
			var text []string
			for _, l := range lists {
				text = append(text, l.String())
			}
			t.Fatalf("seed %d:\n%s\n-overlayfs's +ours\n%s", seed, strings.Join(text, "\nand over it\n"), d)
		}
	}
	t.Logf("%d merges", n)
}
