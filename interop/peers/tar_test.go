package peers

import (
	"path"
	"strings"

	"github.com/inlaybuild/inlay/tree"
)

var peerTar = peer{
	name:  "tar",
	asked: "tar -c and tar -x with --xattrs --xattrs-include=* --numeric-owner -p, --transform for another name, and --keep-directory-symlink unless as an overlay",
	commands: func(j job) [][]string {
		o := j.Options
		if j.has() || o.Existing == "replace" || !j.plainExcludes() {
			return nil
		}
		xattrs := []string{"--xattrs", "--xattrs-include=*", "--numeric-owner"}
		create := append([]string{"tar", "-cf", "/" + kitName + "/archive", "--format=pax"}, xattrs...)
		extract := append([]string{"tar", "-xpf", "/" + kitName + "/archive", "--same-owner", "--warning=no-timestamp"}, xattrs...)
		if !o.Overlay {
			extract = append(extract, "--keep-directory-symlink")
		}
		if o.Owner != "" {
			uid, gid, _ := strings.Cut(o.Owner, ":")
			create = append(create, "--owner=+"+uid, "--group=+"+gid)
		}
		if o.Mode != "" {
			create = append(create, "--mode="+o.Mode)
		}
		if o.Existing == "forbid" {
			extract = append(extract, "-k")
		}
		for _, p := range o.Exclude {
			create = append(create, "--exclude="+p)
		}
		// An archive goes into a directory. Names change on the way if a file
		// is to have another one, or, as an overlay, to say all of the path.
		into, prefix := j.to, "."
		onto := len(j.from) == 1 && !j.isDir[0] && !j.intoDir && !strings.HasSuffix(j.to, "/")
		switch {
		case o.Overlay:
			into, prefix = "/", "."+path.Clean("/"+j.to)
		case onto:
			into, prefix = path.Dir(j.to), "./"+path.Base(j.to)
		}
		if onto {
			extract = append(extract, "--transform=s|^\\./.*|"+prefix+"|S")
		} else if prefix != "." && prefix != "./" {
			extract = append(extract, "--transform=s|^\\.|"+prefix+"|S")
		}
		for n, p := range j.contents("") {
			if j.isDir[n] {
				create = append(create, "-C", p, ".")
			} else {
				create = append(create, "-C", path.Dir(p), "./"+path.Base(p))
			}
		}
		return [][]string{create, append(extract, "-C", into)}
	},
	own: ownOfTar,
}

var ownOfTar = []ownDifference{
	attributesStay("tar"),
	inheritsSetGroupID("tar"),
	{why: "tar ignores sockets", has: func(_ encounter, m meeting) bool { return m.Kind == tree.KindSocket }},
	{why: "tar makes several nodes of several names of one", has: func(e encounter, m meeting) bool {
		return (isDevice(m.Kind) || m.Kind == tree.KindFifo) && linked(e.Src, &m.Item)
	}},
	{why: "tar leaves extended attributes of a directory that the source does not have", has: func(_ encounter, m meeting) bool {
		return m.isDir() && m.into != nil && keepsXattrs(m)
	}},
	{why: "tar does not replace a directory that holds something", has: func(e encounter, m meeting) bool {
		if m.isDir() || !m.met(tree.KindDirectory) {
			return false
		}
		for _, i := range e.Dst {
			if i.Path != m.at && within(i.Path, m.at) {
				return true
			}
		}
		return false
	}},
}
