package peers

import (
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/tree"
)

var peerRsync = peer{
	name:  "rsync",
	asked: "rsync -aHAXI --force --numeric-ids, with -K unless as an overlay, and SOURCE/ of a directory",
	commands: func(j job) [][]string {
		o := j.Options
		if j.has() || o.Existing == "forbid" || !j.plainExcludes() {
			return nil
		}
		c := []string{"rsync", "-aHAXI", "--force", "--numeric-ids"}
		if !o.Overlay {
			c = append(c, "-K")
		}
		if o.Owner != "" {
			c = append(c, "--chown="+o.Owner)
		}
		if o.Mode != "" {
			c = append(c, "--chmod="+o.Mode)
		}
		if o.Existing == "replace" {
			c = append(c, "--delete")
		}
		for _, p := range o.Exclude {
			c = append(c, "--exclude="+p)
		}
		return [][]string{append(append(append(c, "--"), j.contents("/")...), j.to)}
	},
	own: ownOfRsync,
}

var ownOfRsync = []ownDifference{
	{why: "rsync refuses to follow a symlink that is absolute, or leads out of the destination", has: func(e encounter, m meeting) bool {
		return m.isDir() && m.met(tree.KindSymlink) && m.into != nil && (!within(m.into.Path, e.root) ||
			slices.ContainsFunc(m.hops, func(h tree.Hop) bool { return strings.HasPrefix(h.Target, "/") }))
	}},
	attributesStay("rsync"),
	{why: "rsync leaves a symlink or a node that is the same already, and so in its hardlink group", has: func(e encounter, m meeting) bool {
		return !m.isDir() && m.Kind != tree.KindFile && m.was != nil && linked(e.Dst, m.was) &&
			m.was.Kind == m.Kind && m.was.Target == m.Target && m.was.Major == m.Major && m.was.Minor == m.Minor
	}},
	{why: "rsync fails to put one of several names in the place of a directory", has: func(e encounter, m meeting) bool {
		return !m.isDir() && m.met(tree.KindDirectory) && linked(e.Src, &m.Item)
	}},
	{why: "rsync takes a character device and a block device of the same numbers for the same", has: func(_ encounter, m meeting) bool {
		return isDevice(m.Kind) && m.met(tree.KindCharDevice, tree.KindBlockDevice) &&
			m.was.Kind != m.Kind && m.was.Major == m.Major && m.was.Minor == m.Minor
	}},
}

func isDevice(k tree.Kind) bool { return k == tree.KindCharDevice || k == tree.KindBlockDevice }
