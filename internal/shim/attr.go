//go:build linux

package shim

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"

	"github.com/inlaybuild/inlay/internal/capture"
	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sys/unix"
)

// errTime is the error of a time that a file system cannot keep.
var errTime = errors.New("the file system cannot keep this time")

// attrs sets and reads attributes. It is room for an extended one.
type attrs []byte

func newAttrs() attrs { return make(attrs, maxString) }

// setAttr gives the name in the directory its attributes, and takes away extended
// ones that it shall not have. The order matters: a change of owner takes set-id bits
// and file capabilities away, an access control list sets permissions, and all of
// them change nothing of the mtime.
func (x attrs) setAttr(dir int, name string, link bool, a tree.Attr) error {
	if err := unix.Fchownat(dir, name, int(a.UID), int(a.GID), unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("owner %d:%d: %w", a.UID, a.GID, err)
	}
	if err := x.setXattrs(dir, name, a.Xattrs); err != nil {
		return err
	}
	if !link {
		if err := unix.Fchmodat(dir, name, uint32(a.Mode), 0); err != nil {
			return fmt.Errorf("mode %04o: %w", a.Mode, err)
		}
	}
	return setTime(dir, name, a.ModTime)
}

// setDir gives a directory its attributes.
func (x attrs) setDir(dir int, name string, a tree.Attr) error {
	kind, err := kindAt(dir, name)
	if err != nil {
		return err
	}
	if kind != unix.S_IFDIR {
		return unix.ENOTDIR
	}
	return x.setAttr(dir, name, false, a)
}

func (x attrs) setXattrs(dir int, name string, want tree.Xattrs) error {
	p := procPath(dir, name)
	have, err := x.xattrs(p)
	if err != nil {
		return fmt.Errorf("extended attributes: %w", err)
	}
	for key := range have {
		if _, ok := want.Get(key); ok {
			continue
		}
		if err := unix.Lremovexattr(p, key); err != nil && !errors.Is(err, unix.ENODATA) {
			return fmt.Errorf("take away the extended attribute %q: %w", key, err)
		}
	}
	for key, value := range want.All() {
		if v, ok := have[key]; ok && v == value {
			continue
		}
		if err := unix.Lsetxattr(p, key, []byte(value), 0); err != nil {
			return fmt.Errorf("extended attribute %q of %d bytes: %w", key, len(value), err)
		}
	}
	return nil
}

// xattrs gives the extended attributes that a capture would see.
func (x attrs) xattrs(p string) (map[string]string, error) {
	n, err := retry(func() (int, error) { return unix.Llistxattr(p, x) })
	if errors.Is(err, unix.ENOTSUP) {
		return nil, nil
	}
	if err != nil || n == 0 {
		return nil, err
	}
	have := map[string]string{}
	for key := range bytes.SplitSeq(bytes.Clone(x[:n]), []byte{0}) {
		if len(key) == 0 || capture.IsHostXattr(string(key)) {
			continue
		}
		n, err := retry(func() (int, error) { return unix.Lgetxattr(p, string(key), x) })
		if errors.Is(err, unix.ENODATA) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%q: %w", key, err)
		}
		have[string(key)] = string(x[:n])
	}
	return have, nil
}

// procPath gives a path by which the kernel finds a name in an open directory.
func procPath(dir int, name string) string { return "/proc/self/fd/" + strconv.Itoa(dir) + "/" + name }

func setTime(dir int, name string, t tree.Time) error {
	ts := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, {Sec: t.Sec, Nsec: int64(t.Nsec)}}
	if err := unix.UtimesNanoAt(dir, name, ts, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("time: %w", err)
	}
	// All file systems keep what 32 bits of seconds can say. Of others the kernel
	// keeps the nearest, without an error.
	if t.Sec >= 0 && t.Sec < 1<<31-1 {
		return nil
	}
	var st unix.Stat_t
	if err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if st.Mtim.Sec != t.Sec || st.Mtim.Nsec != int64(t.Nsec) {
		return fmt.Errorf("modified %d seconds from 1970: %w", t.Sec, errTime)
	}
	return nil
}
