package capture

import (
	"math"

	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sys/unix"
)

const statMask = unix.STATX_BASIC_STATS | unix.STATX_MNT_ID

// statx is statx(2), repeated when a signal interrupts it. An empty name means
// the directory itself.
func statx(dir int, name string, st *unix.Statx_t) error {
	flags := unix.AT_SYMLINK_NOFOLLOW | unix.AT_NO_AUTOMOUNT
	if name == "" {
		flags |= unix.AT_EMPTY_PATH
	}
	for {
		if err := unix.Statx(dir, name, flags, statMask, st); err != unix.EINTR {
			return err
		}
	}
}

// inode names an inode while the machine runs.
type inode struct {
	major, minor uint32
	ino          uint64
}

func inodeOf(st *unix.Statx_t) inode {
	return inode{st.Dev_major, st.Dev_minor, st.Ino}
}

// sameFile tells whether nothing has happened to a file between two looks at it.
func sameFile(a, b *unix.Statx_t) bool {
	return inodeOf(a) == inodeOf(b) && a.Mode == b.Mode && a.Size == b.Size &&
		a.Uid == b.Uid && a.Gid == b.Gid &&
		a.Mtime.Sec == b.Mtime.Sec && a.Mtime.Nsec == b.Mtime.Nsec &&
		a.Ctime.Sec == b.Ctime.Sec && a.Ctime.Nsec == b.Ctime.Nsec
}

func kindOf(st *unix.Statx_t) uint32 { return uint32(st.Mode) & unix.S_IFMT }

// attrOf gives the attributes of an entry but for its extended ones. The error
// is ErrOwner.
func attrOf(st *unix.Statx_t, owner *Owner) (tree.Attr, error) {
	a := tree.Attr{
		Mode:    tree.Mode(st.Mode) & tree.ModeAll,
		UID:     st.Uid,
		GID:     st.Gid,
		ModTime: tree.Time{Sec: st.Mtime.Sec, Nsec: st.Mtime.Nsec},
	}
	if owner != nil {
		a.UID, a.GID = owner.UID, owner.GID
	}
	if a.UID == math.MaxUint32 || a.GID == math.MaxUint32 {
		return a, ErrOwner
	}
	if kindOf(st) == unix.S_IFLNK {
		a.Mode = 0o777
	}
	return a, nil
}

// special gives the entry of a device, fifo or socket; nil for other kinds.
func special(st *unix.Statx_t, a tree.Attr) tree.Entry {
	switch kindOf(st) {
	case unix.S_IFCHR, unix.S_IFBLK:
		return tree.Device{
			Attributes: a,
			Block:      kindOf(st) == unix.S_IFBLK,
			Major:      st.Rdev_major,
			Minor:      st.Rdev_minor,
		}
	case unix.S_IFIFO:
		return tree.Fifo{Attributes: a}
	case unix.S_IFSOCK:
		return tree.Socket{Attributes: a}
	}
	return nil
}

// readlink gives the target of a symlink.
func readlink(dir int, name string, buf []byte) (string, error) {
	for {
		n, err := unix.Readlinkat(dir, name, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return "", err
		}
		return string(buf[:n]), nil
	}
}
