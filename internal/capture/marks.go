package capture

import (
	"strings"

	"github.com/inlaybuild/inlay/tree"
)

// marks is what overlay wrote on an inode of its upper directory. It has more
// of them, which are for itself: origin, impure, nlink, upper, uuid, protattr.
// See Documentation/filesystems/overlayfs.rst of Linux.
type marks struct {
	opaque   bool   // the directory shows nothing of the base
	whiteout bool   // the file stands for a whiteout, if it is empty
	metacopy bool   // the file's bytes are the base's
	redirect string // where in the base the rest is: rooted, or a name in the same directory
}

const (
	trustedMarks = "trusted.overlay."
	userMarks    = "user.overlay."
)

// splitMarks takes overlay's marks out of extended attributes, and gives back
// their names to those that overlay renamed because they look like marks.
func splitMarks(all map[string]string, prefix string) (m marks, x tree.Xattrs) {
	if len(all) == 0 {
		return m, x
	}
	kept := make(map[string]string, len(all))
	for name, value := range all {
		rest, ours := strings.CutPrefix(name, prefix)
		if !ours {
			kept[name] = value
			continue
		}
		if was, ok := strings.CutPrefix(rest, "overlay."); ok {
			kept[prefix+was] = value
			continue
		}
		switch rest {
		case "opaque":
			m.opaque = value == "y" // "x" tells of whiteouts that are files
		case "whiteout":
			m.whiteout = true
		case "metacopy":
			m.metacopy = true
		case "redirect":
			m.redirect = value
		}
	}
	return m, tree.NewXattrs(kept)
}
