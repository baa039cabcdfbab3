package interop

import (
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
)

// linkDifferences are what COPY --link does in its own way: it copies into an
// empty tree as COPY does, and MergeOp lays that over.
var linkDifferences = append([]ownDifference{{
	name:    "directories that lead to the copy, and its root, have the attributes of ones that are made",
	why:     "they are entries of the layer, and so win over what is there; ours are what is there (3.4)",
	example: "copy --overlay /f /d/f\n-- dst --\nd/ {0700 1:2}\n-- src --\nf = f\n",
	excuse: func(x *comparison) bool {
		return x.differing(func(ours, theirs *treetest.Item) {
			leads := ours.Path != "/" && (x.root == ours.Path || strings.HasPrefix(x.root, ours.Path+"/"))
			a := x.made("/")
			a.ModTime = theirs.Attr.ModTime
			if leads && ours.Kind == tree.KindDirectory && theirs.Attr == a && (x.recent(a.ModTime) || x.fromSource(a.ModTime)) {
				a.ModTime = ours.Attr.ModTime
				ours.Attr, theirs.Attr = a, a
			}
		})
	},
}}, copyDifferences...)

func TestOverlayIsWhatCOPYLinkDoes(t *testing.T) { holdCopies(t, true, 4*batchSize) }
