package erofs

import (
	"strings"

	"github.com/inlaybuild/inlay/tree"
)

const (
	maxTarget = 4095 // bytes of a symlink's target: PATH_MAX without the NUL
	noOwner   = 1<<32 - 1
	// maxChunks bounds the chunk indexes of an image, which files claim by their
	// sizes alone: 64 MiB of indexes, 128 EiB of files.
	maxChunks = 1 << 24
)

// check tells why an image cannot hold a node.
func check(n Node) error {
	if n.Entry == nil {
		return nil
	}
	a := n.Entry.Attr()
	if a.UID == noOwner || a.GID == noOwner {
		return unsupported(n.Path, "its owner %d:%d is no user or group that Linux can show", a.UID, a.GID)
	}
	if a.ModTime.Nsec >= 1e9 {
		return unsupported(n.Path, "its time has %d nanoseconds", a.ModTime.Nsec)
	}
	if !a.Xattrs.IsEmpty() {
		if err := checkXattrs(a); err != nil {
			return unsupported(n.Path, "%v", err)
		}
	}
	switch e := n.Entry.(type) {
	case tree.Symlink:
		if e.Target == "" || len(e.Target) > maxTarget || strings.IndexByte(e.Target, 0) >= 0 {
			return unsupported(n.Path, "a symlink whose target is empty, holds a NUL byte or is longer than %d bytes", maxTarget)
		}
	case tree.Device:
		if !e.Block && e.Major == 0 && e.Minor == 0 {
			return unsupported(n.Path, "the character device 0:0 means a removed name to overlayfs; remove it from the tree first")
		}
		if e.Major > maxMajor || e.Minor > maxMinor {
			return unsupported(n.Path, "the device number %d:%d is beyond Linux' %d:%d", e.Major, e.Minor, maxMajor, maxMinor)
		}
	case tree.File:
		if e.Size < 0 {
			return unsupported(n.Path, "a file of %d bytes", e.Size)
		}
	}
	return nil
}
