//go:build linux

package shim

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"

	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sys/unix"
)

// rename moves a name. Overlayfs refuses to rename directories of lower layers: then
// what they hold is moved, entry by entry.
func (x *applier) rename(c Rename) error {
	if c.From == c.To {
		return nil
	}
	above, last := splitPath(c.From)
	from, err := x.open(above)
	if err != nil {
		return err
	}
	defer unix.Close(from)
	if _, err := kindAt(from, last); err != nil {
		return err
	}
	dir, name, err := x.clear(c.To)
	if err != nil {
		return fmt.Errorf("to %s: %w", c.To, err)
	}
	m := &mover{x: x, moved: map[inodeKey]string{}}
	if err := m.move(from, last, dir, name, c.To); err != nil {
		return fmt.Errorf("to %s: %w", c.To, err)
	}
	x.told.at(above).written = true
	x.told.put(c.To, merged(x.told.take(c.From), x.told.take(c.To)))
	return nil
}

// merged gives what is known of directories that were moved one by one, and what the
// list had said of them before.
func merged(said, found *told) *told {
	if said == nil || found == nil {
		if said == nil {
			return found
		}
		return said
	}
	if said.attr == nil {
		said.attr = found.attr
	}
	for name, f := range found.below {
		if said.below == nil {
			said.below = map[string]*told{}
		}
		said.below[name] = merged(said.below[name], f)
	}
	return said
}

// mover moves what overlayfs does not move itself.
type mover struct {
	x     *applier
	moved map[inodeKey]string // where an inode with several names is now
}

type inodeKey struct{ dev, ino uint64 }

// move moves a name of one directory to a name of another, which is free. Path is
// where that is.
func (m *mover) move(from int, name string, to int, as, p string) error {
	var st unix.Stat_t
	if err := unix.Fstatat(from, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	isDir := st.Mode&unix.S_IFMT == unix.S_IFDIR
	key := inodeKey{uint64(st.Dev), st.Ino}
	if !isDir && st.Nlink > 1 {
		if first, ok := m.moved[key]; ok {
			return m.again(from, name, to, as, first)
		}
		m.moved[key] = p
	}
	err := unix.Renameat(from, name, to, as)
	if !isDir || !errors.Is(err, unix.EXDEV) {
		return err
	}
	a, err := m.attr(from, name, &st)
	if err != nil {
		return err
	}
	if err := unix.Mkdirat(to, as, 0o700); err != nil {
		return err
	}
	m.x.told.at(p).attr = &a
	if err := m.below(from, name, to, as, p); err != nil {
		return err
	}
	return unix.Unlinkat(from, name, unix.AT_REMOVEDIR)
}

// below moves what a directory holds.
func (m *mover) below(from int, name string, to int, as, p string) error {
	old, err := openDir(from, name)
	if err != nil {
		return err
	}
	defer old.Close()
	now, err := openDir(to, as)
	if err != nil {
		return err
	}
	defer now.Close()
	for {
		names, err := old.Readdirnames(1000)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, n := range names {
			if err := m.move(int(old.Fd()), n, int(now.Fd()), n, path.Join(p, n)); err != nil {
				return &os.PathError{Op: "move", Path: path.Join(p, n), Err: err}
			}
		}
		if _, err := old.Seek(0, io.SeekStart); err != nil {
			return err
		}
	}
}

// again moves another name of an inode that was moved.
func (m *mover) again(from int, name string, to int, as, first string) error {
	above, last := splitPath(first)
	dir, err := m.x.open(above)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	if err := unix.Linkat(dir, last, to, as, 0); err != nil {
		return err
	}
	return unix.Unlinkat(from, name, 0)
}

// attr reads the attributes of a directory.
func (m *mover) attr(dir int, name string, st *unix.Stat_t) (tree.Attr, error) {
	x, err := m.x.xattrs(procPath(dir, name))
	return tree.Attr{
		Mode: tree.Mode(st.Mode) & tree.ModeAll, UID: st.Uid, GID: st.Gid,
		ModTime: tree.Time{Sec: st.Mtim.Sec, Nsec: uint32(st.Mtim.Nsec)},
		Xattrs:  tree.NewXattrs(x),
	}, err
}
