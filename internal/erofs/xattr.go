package erofs

import (
	"fmt"
	"strings"

	"github.com/inlaybuild/inlay/tree"
)

// The xattrs of an inode follow it: a header of 12 bytes with the count of
// shared ones (struct erofs_xattr_ibody_header), the places of those, and the
// others inline, each four bytes of lengths and prefix (struct
// erofs_xattr_entry), the name after its prefix, the value, and padding to a
// multiple of four. The inode has their size, in units of four bytes, in 16
// bits.

const (
	xattrHeader = 12
	maxXattrs   = xattrHeader + 4*(1<<16-2)
	maxValue    = 1<<16 - 1

	// overlayPrefix starts the xattrs that mean something to overlayfs.
	overlayPrefix = "trusted.overlay."
	// overlayEscape stands in front of those that a tree has itself:
	// overlayfs shows trusted.overlay.overlay.x as trusted.overlay.x.
	overlayEscape = overlayPrefix + "overlay."

	// The metacopy xattr has no value, and every regular file has it: it is
	// stored once, after the superblock.
	sharedOffset = superOffset + superSize
)

// xattrPrefixes is the table of EROFS_XATTR_INDEX_*.
var xattrPrefixes = [...]struct {
	prefix string
	index  byte
	whole  bool // the prefix is the whole name
}{
	{"user.", 1, false},
	{"system.posix_acl_access", 2, true},
	{"system.posix_acl_default", 3, true},
	{"trusted.", 4, false},
	{"security.", 6, false},
}

type xattr struct{ name, value string }

// splitXattr gives the index of a name's prefix, and the rest of the name.
func splitXattr(name string) (index byte, rest string, ok bool) {
	for _, p := range xattrPrefixes {
		if rest, ok := strings.CutPrefix(name, p.prefix); ok && (rest == "") == p.whole {
			return p.index, rest, true
		}
	}
	return 0, "", false
}

func appendXattr(b []byte, x xattr) []byte {
	index, rest, _ := splitXattr(x.name)
	b = append(b, byte(len(rest)), index)
	b = le.AppendUint16(b, uint16(len(x.value)))
	b = append(b, rest...)
	b = append(b, x.value...)
	for len(b)%4 != 0 {
		b = append(b, 0)
	}
	return b
}

// xattrSize is the number of bytes that appendXattr appends.
func xattrSize(x xattr) int {
	_, rest, _ := splitXattr(x.name)
	return (4 + len(rest) + len(x.value) + 3) &^ 3
}

// escaped gives the xattr by which overlayfs shows one of the tree's.
func escaped(name, value string) xattr {
	if rest, ok := strings.CutPrefix(name, overlayPrefix); ok {
		name = overlayEscape + rest
	}
	return xattr{name, value}
}

// checkXattrs tells what of a's xattrs an image cannot hold.
func checkXattrs(a tree.Attr) error {
	sum := xattrHeader + 256 // and our own
	for name, value := range a.Xattrs.All() {
		x := escaped(name, value)
		index, rest, ok := splitXattr(x.name)
		switch {
		case !ok:
			return fmt.Errorf("the extended attribute %q is of a kind that EROFS does not know", name)
		case len(rest) > 255 || len(name) > 255 || strings.IndexByte(name, 0) >= 0:
			return fmt.Errorf("the extended attribute %.40q has a name that Linux refuses", name)
		case len(value) > maxValue:
			return fmt.Errorf("the extended attribute %q has %d bytes, at most %d are possible", name, len(value), maxValue)
		case (index == 2 || index == 3) && !isACL(value):
			return fmt.Errorf("the extended attribute %q is not an access control list", name)
		}
		sum += xattrSize(x)
	}
	if sum > maxXattrs {
		return fmt.Errorf("its extended attributes have %d bytes, at most %d are possible", sum, maxXattrs)
	}
	return nil
}

// isACL tells whether an access control list has the form of version 2: a
// header of four bytes and entries of eight.
func isACL(v string) bool {
	return len(v) >= 4 && len(v)%8 == 4 && v[:4] == "\x02\x00\x00\x00"
}

// appendXattrs appends all that follows an inode for its xattrs; nothing when
// there are none. redirect is where a regular file's content is, or "".
func appendXattrs(b []byte, a tree.Attr, redirect string, opaque bool) []byte {
	if a.Xattrs.IsEmpty() && redirect == "" && !opaque {
		return b
	}
	var header [xattrHeader]byte
	if redirect != "" {
		header[4] = 1
		b = append(b, header[:]...)
		b = le.AppendUint32(b, sharedOffset/4)
		b = appendXattr(b, xattr{overlayPrefix + "redirect", redirect})
	} else {
		b = append(b, header[:]...)
	}
	if opaque {
		b = appendXattr(b, xattr{overlayPrefix + "opaque", "y"})
	}
	for name, value := range a.Xattrs.All() {
		b = appendXattr(b, escaped(name, value))
	}
	return b
}

// xattrsSize is the number of bytes that appendXattrs appends.
func xattrsSize(a tree.Attr, redirect string, opaque bool) int {
	if a.Xattrs.IsEmpty() && redirect == "" && !opaque {
		return 0
	}
	n := xattrHeader
	if redirect != "" {
		n += 4 + xattrSize(xattr{overlayPrefix + "redirect", redirect})
	}
	if opaque {
		n += xattrSize(xattr{overlayPrefix + "opaque", "y"})
	}
	for name, value := range a.Xattrs.All() {
		n += xattrSize(escaped(name, value))
	}
	return n
}
