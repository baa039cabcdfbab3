package layer

import (
	"archive/tar"
	"encoding/base64"
	"math"
	"net/url"
	"strings"
	"time"

	"github.com/inlaybuild/inlay/tree"
)

// Prefixes of PAX records that hold extended attributes.
const (
	schilyXattr     = "SCHILY.xattr."
	libarchiveXattr = "LIBARCHIVE.xattr." // the name as in URLs, the value in base64
)

// In the keys of records "=" is "%3D" and "%" is "%25", as GNU tar writes them.
// Others leave "%" as it is, so it is only written so where it must be.
var (
	unescapeXattr = strings.NewReplacer("%3D", "=", "%25", "%")
	escapeXattr   = strings.NewReplacer("=", "%3D", "%3D", "%253D", "%25", "%2525")
)

// What Linux has room for.
const (
	maxXattrName  = 255
	maxXattrValue = 64 << 10
	maxTarget     = 4095
	maxMajor      = 1<<12 - 1
	maxMinor      = 1<<20 - 1
	maxRecords    = 1<<20 - 16<<10     // of an entry's extended attributes: readers stop at 1 MiB
	maxID         = math.MaxUint32 - 1 // the one above means "unchanged" to chown(2)
)

// Times are possible in the years 1, without its first second, to 9999.
const (
	minTime = -62135596800 + 1
	maxTime = 253402300799
)

// attrOf gives the attributes that a header has.
func attrOf(h *tar.Header) (tree.Attr, error) {
	a := tree.Attr{Mode: tree.Mode(h.Mode) & tree.ModeAll, ModTime: tree.TimeOf(h.ModTime)}
	if h.Uid < 0 || h.Uid >= maxID+1 {
		return a, malformed("its owner %d is not an id: ids end at %d", h.Uid, uint32(maxID))
	}
	if h.Gid < 0 || h.Gid >= maxID+1 {
		return a, malformed("its group %d is not an id: ids end at %d", h.Gid, uint32(maxID))
	}
	a.UID, a.GID = uint32(h.Uid), uint32(h.Gid)
	if a.ModTime.Sec < minTime || a.ModTime.Sec > maxTime {
		return a, malformed("its time, %d s after the epoch, is outside of the years 1 to 9999", a.ModTime.Sec)
	}
	var err error
	a.Xattrs, err = xattrsOf(h.PAXRecords)
	return a, err
}

// xattrsOf gives the extended attributes in PAX records.
func xattrsOf(records map[string]string) (tree.Xattrs, error) {
	var found map[string]string
	for key, value := range records {
		name, ok := strings.CutPrefix(key, schilyXattr)
		if ok {
			if _, better := records[libarchiveXattr+name]; better {
				continue
			}
			name = unescapeXattr.Replace(name)
		} else if encoded, ok := strings.CutPrefix(key, libarchiveXattr); ok {
			var err error
			if name, value, err = decodeLibarchive(encoded, value); err != nil {
				return tree.Xattrs{}, malformed("its extended attribute %s: %w", quote(encoded), err)
			}
		} else {
			continue
		}
		switch {
		case name == "" || strings.IndexByte(name, 0) >= 0:
			return tree.Xattrs{}, malformed("%s is not the name of an extended attribute", quote(name))
		case len(name) > maxXattrName:
			return tree.Xattrs{}, malformed("the name of its extended attribute %s has more than %d bytes", quote(name), maxXattrName)
		case len(value) > maxXattrValue:
			return tree.Xattrs{}, malformed("its extended attribute %s has %d bytes: Linux has room for %d", quote(name), len(value), maxXattrValue)
		}
		if old, twice := found[name]; twice && old != value {
			return tree.Xattrs{}, malformed("its extended attribute %s is there twice", quote(name))
		}
		if found == nil {
			found = map[string]string{}
		}
		found[name] = value
	}
	if found == nil {
		return tree.Xattrs{}, nil
	}
	return tree.NewXattrs(found), nil
}

func decodeLibarchive(name, value string) (string, string, error) {
	name, err := url.PathUnescape(name)
	if err != nil {
		return "", "", err
	}
	b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(value, "=\n"))
	return name, string(b), err
}

// setAttr puts attributes into a header.
func setAttr(h *tar.Header, path string, a tree.Attr) error {
	switch {
	case a.UID > maxID:
		return unwritable(path, "its owner %d is not an id", a.UID)
	case a.GID > maxID:
		return unwritable(path, "its group %d is not an id", a.GID)
	case a.ModTime.Sec < minTime || a.ModTime.Sec > maxTime:
		return unwritable(path, "its time, %d s after the epoch, is outside of the years 1 to 9999", a.ModTime.Sec)
	}
	h.Mode, h.Uid, h.Gid = int64(a.Mode), int(a.UID), int(a.GID)
	h.ModTime = time.Unix(a.ModTime.Sec, int64(a.ModTime.Nsec))
	size := 0
	for name, value := range a.Xattrs.All() {
		if size += len(schilyXattr) + len(name) + len(value) + 16; size > maxRecords {
			return unwritable(path, "its extended attributes have more than %d bytes in all", maxRecords)
		}
		if len(value) > maxXattrValue || len(name) > maxXattrName || name == "" || strings.IndexByte(name, 0) >= 0 {
			return unwritable(path, "its extended attribute %s is beyond what Linux has", quote(name))
		}
		if h.PAXRecords == nil {
			h.PAXRecords = map[string]string{}
		}
		h.PAXRecords[schilyXattr+escapeXattr.Replace(name)] = value
	}
	return nil
}
