package peers

import (
	"context"

	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
)

var peerCp = peer{
	name:  "cp",
	asked: "cp -a, with -H unless a symlink is to be kept, and SOURCE/. of a directory",
	commands: func(j job) [][]string {
		o := j.Options
		if j.has() || o.Overlay || o.Owner != "" || o.Mode != "" || o.Existing != "" || len(o.Exclude) > 0 {
			return nil
		}
		flags := "-aH"
		if o.KeepLink {
			flags = "-a"
		}
		return [][]string{append(append([]string{"cp", flags, "--"}, j.contents("/.")...), j.to)}
	},
	own: ownOfCp,
}

// cp opens what is there and writes into it, as its manual says of all options
// but --remove-destination; and it refuses what is of another kind.
var ownOfCp = []ownDifference{
	{why: "cp refuses to put a directory in the place of anything else, and of a symlink to one", has: func(_ encounter, m meeting) bool {
		return m.isDir() && m.was != nil && m.was.Kind != tree.KindDirectory
	}},
	{why: "cp refuses to put anything else in the place of a directory", has: func(_ encounter, m meeting) bool {
		return !m.isDir() && m.met(tree.KindDirectory)
	}},
	{why: "cp writes through a symlink, and refuses one that leads nowhere", has: func(_ encounter, m meeting) bool {
		return m.Kind == tree.KindFile && m.met(tree.KindSymlink)
	}},
	{why: "cp writes into a device or a fifo, and cannot into a socket", has: func(_ encounter, m meeting) bool {
		return m.Kind == tree.KindFile && m.met(tree.KindCharDevice, tree.KindBlockDevice, tree.KindFifo, tree.KindSocket)
	}},
	{why: "cp leaves extended attributes that the source does not have", has: func(_ encounter, m meeting) bool {
		return (m.isDir() || m.Kind == tree.KindFile) && m.was != nil && m.was.Kind == m.Kind && keepsXattrs(m)
	}},
	inheritsSetGroupID("cp"),
	{why: "cp refuses a symlink that leads to where it is to be put", has: func(e encounter, m meeting) bool {
		return m.Kind == tree.KindSymlink && m.was != nil && leads(e, m) == m.at
	}},
}

// keepsXattrs tells whether what was there has extended attributes that the
// source does not have.
func keepsXattrs(m meeting) bool {
	was := m.was
	if m.into != nil {
		was = m.into
	}
	for name := range was.Attr.Xattrs.All() {
		if _, ok := m.Attr.Xattrs.Get(name); !ok {
			return true
		}
	}
	return false
}

// linked tells whether an item has several names.
func linked(l treetest.Listing, i *treetest.Item) bool {
	if i.Same != "" {
		return true
	}
	for _, o := range l {
		if o.Same == i.Path {
			return true
		}
	}
	return false
}

// leads gives where a symlink of the source leads while a peer runs, in whose
// root the source is; "" for nowhere.
func leads(e encounter, m meeting) string {
	d := tree.NewDraft(e.Dst.MustTree())
	d.MakeDir(kitName, tree.Attr{}).Put("src", e.Src.MustTree())
	t, err := d.Tree(context.Background())
	if err != nil {
		return ""
	}
	r, err := tree.Resolve(context.Background(), t, "/"+kitName+"/src"+m.Path, tree.FollowAll)
	if err != nil || r.Entry == nil {
		return ""
	}
	return r.Path
}
