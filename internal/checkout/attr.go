//go:build linux

package checkout

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sys/unix"
)

// Errors of attributes that a directory of the host cannot have.
var (
	// ErrTime is the error of a time that the file system cannot keep.
	ErrTime = errors.New("the file system cannot keep this time")
	// ErrOwner is the error of an owner that only root may give.
	ErrOwner = errors.New("only root may give files to others")
)

// attrs says how attributes are set.
type attrs struct {
	noOwner bool
	clamp   bool
	escape  bool // xattrs that mean something to overlayfs are its escaped ones
}

const overlayPrefix = "trusted.overlay."

// set gives the name in the directory its attributes. The order matters: a
// change of owner takes set-id bits and file capabilities away, an access
// control list sets permissions, and all of them change nothing of the mtime.
func (s attrs) set(dir int, name string, e tree.Entry) error {
	a := e.Attr()
	if !s.noOwner {
		if a.UID == 1<<32-1 || a.GID == 1<<32-1 {
			return fmt.Errorf("owner %d:%d: %w", a.UID, a.GID, unix.EINVAL)
		}
		err := unix.Fchownat(dir, name, int(a.UID), int(a.GID), unix.AT_SYMLINK_NOFOLLOW)
		if errors.Is(err, unix.EPERM) {
			return fmt.Errorf("owner %d:%d: %w: leave owners out, or run as root", a.UID, a.GID, ErrOwner)
		}
		if err != nil {
			return fmt.Errorf("owner %d:%d: %w", a.UID, a.GID, err)
		}
	}
	if !a.Xattrs.IsEmpty() {
		if err := s.xattrs(dir, name, a.Xattrs); err != nil {
			return err
		}
	}
	if e.Kind() != tree.KindSymlink {
		if err := unix.Fchmodat(dir, name, uint32(a.Mode), 0); err != nil {
			return fmt.Errorf("mode %04o: %w", a.Mode, err)
		}
	}
	return s.time(dir, name, a.ModTime)
}

func (s attrs) xattrs(dir int, name string, x tree.Xattrs) error {
	path := "/proc/self/fd/" + strconv.Itoa(dir) + "/" + name
	for key, value := range x.All() {
		if rest, ok := strings.CutPrefix(key, overlayPrefix); ok && s.escape {
			key = overlayPrefix + "overlay." + rest
		}
		if err := unix.Lsetxattr(path, key, []byte(value), 0); err != nil {
			return fmt.Errorf("extended attribute %q of %d bytes: %w", key, len(value), err)
		}
	}
	return nil
}

func (s attrs) time(dir int, name string, t tree.Time) error {
	ts := [2]unix.Timespec{{Nsec: unix.UTIME_OMIT}, {Sec: t.Sec, Nsec: int64(t.Nsec)}}
	if err := unix.UtimesNanoAt(dir, name, ts[:], unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("time: %w", err)
	}
	// All file systems keep what 32 bits of seconds can say. Of others the
	// kernel keeps the nearest, without an error.
	if s.clamp || t.Sec >= 0 && t.Sec < 1<<31-1 {
		return nil
	}
	var st unix.Stat_t
	if err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if int64(st.Mtim.Sec) != t.Sec || int64(st.Mtim.Nsec) != int64(t.Nsec) {
		return fmt.Errorf("modified %d seconds from 1970: %w", t.Sec, ErrTime)
	}
	return nil
}

// pathError names the path in the tree that an error is about, unless it names
// one already.
func pathError(op, path string, err error) error {
	if _, known := err.(*fs.PathError); known || err == nil {
		return err
	}
	return &os.PathError{Op: op, Path: path, Err: err}
}
