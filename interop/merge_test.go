package interop

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
)

// mergeDifferences are what MergeOp and DiffOp do in their own way.
var mergeDifferences = []ownDifference{
	{
		name:    "hardlinks of fifos and sockets are separate",
		why:     "x",
		example: "merge\n-- src --\np fifo\nq == p\n",
		excuse: func(x *comparison) bool {
			return x.splitGroups(func(group []treetest.Item) bool {
				return group[0].Kind == tree.KindSocket || group[0].Kind == tree.KindFifo
			})
		},
	},
	{
		name:    "a new name of a file that does not change is a file of its own",
		why:     "DiffOp leaves out what does not change, and a link would lead there; our change sets have links",
		example: "diff\n-- dst --\na = a\n-- src --\na = a\nb == a\n",
		excuse: func(x *comparison) bool {
			return x.c.Verb == "diff" && x.splitGroups(func(group []treetest.Item) bool {
				return slices.ContainsFunc(group, func(i treetest.Item) bool {
					old := x.c.Dst.Find(i.Path)
					return old != nil && old.Kind == i.Kind && old.Attr == i.Attr && old.Content == i.Content
				})
			})
		},
	},
	{
		name:    "a name that does nothing but leave its hardlink group stays in it",
		why:     "DiffOp looks at the attributes and at what files hold, name by name; our diffs have hardlinks",
		example: "diff\n-- dst --\na = a\nb == a\n-- src --\na = a\nb = a\n",
		excuse: func(x *comparison) bool {
			group := func(p string) string {
				if i := x.c.Dst.Find(p); i != nil {
					return cmp.Or(i.Same, p)
				}
				return ""
			}
			return x.c.Verb == "diff" && x.differing(func(ours, theirs *treetest.Item) {
				if theirs.Same != "" && group(theirs.Path) != "" && group(theirs.Path) == group(theirs.Same) {
					ours.Same = theirs.Same
				}
			})
		},
	},
	{
		name: "the root belongs to the owner of the first tree's", minor: true,
		why:     "the merged snapshot stands on the first tree's; with us the last tree's root wins, as of unpacked layers (4.1)",
		example: "merge\n-- dst --\n/ {1:2}\n-- src --\n/ {3:4}\n",
		excuse: func(x *comparison) bool {
			return x.differing(func(ours, theirs *treetest.Item) {
				if first := x.c.Dst[0].Attr; ours.Path == "/" && theirs.Attr.UID == first.UID && theirs.Attr.GID == first.GID {
					theirs.Attr.UID, theirs.Attr.GID = ours.Attr.UID, ours.Attr.GID
				}
			})
		},
	},
	{
		name:    "a directory does not replace a block device or a socket",
		why:     "a mistake: MergeOp takes what has the bit of S_IFDIR for a directory, and S_IFBLK and S_IFSOCK have it",
		example: "merge\n-- src --\na block 2:3\n-- more --\na/\n",
		excuse: func(x *comparison) bool {
			return x.differing(func(ours, theirs *treetest.Item) {
				if ours.Kind == tree.KindDirectory && (theirs.Kind == tree.KindBlockDevice || theirs.Kind == tree.KindSocket) {
					ours.Kind, ours.Major, ours.Minor = theirs.Kind, theirs.Major, theirs.Minor
				}
			})
		},
	},
	rootAttributes,
	directoryTimes,
}

func mergeTrial(d *daemon) *trial {
	return &trial{
		daemon: d, differences: mergeDifferences, since: time.Now(),
		task: func(c treetest.Case) (task, string) {
			t := task{op: c.Verb, trees: []treetest.Listing{c.Dst, c.Src}}
			if c.Verb == "merge" && len(c.More) > 0 {
				t.trees = append(t.trees, c.More)
			} else if c.Verb != "diff" && c.Verb != "merge" {
				return t, "MergeOp is no " + c.Verb
			}
			return t, ""
		},
	}
}

func TestMergeAndDiffAreWhatMergeOpAndDiffOpDo(t *testing.T) {
	tr := mergeTrial(sharedDaemon(t))
	n := 4 * batchSize
	if long() {
		n = 60 * batchSize
	}
	tr.hold(t, tr.draw(t, n, func(s *treetest.Source) treetest.Case {
		return utf8Case(s.Case(treetest.Limits{Disk: true}))
	}))
}
