package treetest

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sys/unix"
)

// Write makes a directory of this machine of a listing, which must know what
// its files hold. The directory must not exist, or be empty. It needs root for
// owners, devices and trusted attributes.
func Write(l Listing, dir string) error {
	for _, i := range l {
		if err := i.write(dir); err != nil {
			return fmt.Errorf("write %s: %w", i.Path, err)
		}
	}
	for _, i := range slices.Backward(l) {
		if i.Same != "" {
			continue
		}
		if err := i.SetAttr(filepath.Join(dir, i.Path)); err != nil {
			return fmt.Errorf("write %s: %w", i.Path, err)
		}
	}
	return nil
}

func (i Item) write(dir string) error {
	p := filepath.Join(dir, i.Path)
	if i.Same != "" {
		return os.Link(filepath.Join(dir, i.Same), p)
	}
	if err := i.Create(p); i.Path != "/" || !os.IsExist(err) {
		return err
	}
	return nil
}

// Create makes the entry at a path of this machine, for its owner alone, and
// without attributes. Nothing must be there.
func (i Item) Create(p string) error {
	switch i.Kind {
	case tree.KindDirectory:
		return os.Mkdir(p, 0o700)
	case tree.KindSymlink:
		return os.Symlink(i.Target, p)
	case tree.KindCharDevice:
		return unix.Mknod(p, unix.S_IFCHR|0o600, int(unix.Mkdev(i.Major, i.Minor)))
	case tree.KindBlockDevice:
		return unix.Mknod(p, unix.S_IFBLK|0o600, int(unix.Mkdev(i.Major, i.Minor)))
	case tree.KindFifo:
		return unix.Mkfifo(p, 0o600)
	case tree.KindSocket:
		return unix.Mknod(p, unix.S_IFSOCK|0o600, 0)
	}
	if int64(len(i.Text)) != i.Size {
		return fmt.Errorf("what the file holds is not known")
	}
	return os.WriteFile(p, []byte(i.Text), 0o600)
}

// SetAttr gives what stands at a path of this machine the item's attributes. It
// takes no extended attributes away.
func (i Item) SetAttr(p string) error {
	if err := os.Lchown(p, int(i.Attr.UID), int(i.Attr.GID)); err != nil {
		return err
	}
	if i.Kind != tree.KindSymlink {
		if err := unix.Chmod(p, uint32(i.Attr.Mode)); err != nil {
			return err
		}
	}
	for name, value := range i.Attr.Xattrs.All() {
		if err := unix.Lsetxattr(p, name, []byte(value), 0); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	times := []unix.Timespec{{}, {Sec: i.Attr.ModTime.Sec, Nsec: int64(i.Attr.ModTime.Nsec)}}
	return unix.UtimesNanoAt(unix.AT_FDCWD, p, times, unix.AT_SYMLINK_NOFOLLOW)
}

// Read gives the listing of a directory of this machine, with what files hold.
// Nothing but system calls stands between the disk and it.
func Read(dir string) (Listing, error) {
	r := reader{dir: dir, first: map[[2]uint64]string{}}
	err := r.read("/")
	r.list.Sort()
	return r.list, err
}

type reader struct {
	dir   string
	first map[[2]uint64]string // a path of each inode with several names
	list  Listing
}

func (r *reader) read(at string) error {
	p := filepath.Join(r.dir, at)
	var st unix.Stat_t
	if err := unix.Lstat(p, &st); err != nil {
		return fmt.Errorf("read %s: %w", p, err)
	}
	i := Item{Path: at, Attr: tree.Attr{
		Mode: tree.Mode(st.Mode & 0o7777), UID: st.Uid, GID: st.Gid,
		ModTime: tree.Time{Sec: st.Mtim.Sec, Nsec: uint32(st.Mtim.Nsec)},
	}}
	if err := i.readBody(p, st); err != nil {
		return fmt.Errorf("read %s: %w", p, err)
	}
	var err error
	if i.Attr.Xattrs, err = readXattrs(p); err != nil {
		return fmt.Errorf("read %s: %w", p, err)
	}
	if i.Kind != tree.KindDirectory && st.Nlink > 1 {
		inode := [2]uint64{st.Dev, st.Ino}
		if i.Same = r.first[inode]; i.Same == "" {
			r.first[inode] = at
		}
	}
	r.list = append(r.list, i)
	if i.Kind != tree.KindDirectory {
		return nil
	}
	names, err := os.ReadDir(p)
	if err != nil {
		return err
	}
	for _, n := range names {
		// Overlayfs lists whiteouts in a directory that it does not merge, though
		// there is nothing of that name.
		if err := r.read(filepath.Join(at, n.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// readBody reads what kind of entry it is, and what that kind has.
func (i *Item) readBody(p string, st unix.Stat_t) (err error) {
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		i.Kind = tree.KindDirectory
	case unix.S_IFLNK:
		i.Kind = tree.KindSymlink
		i.Target, err = os.Readlink(p)
	case unix.S_IFCHR:
		i.Kind, i.Major, i.Minor = tree.KindCharDevice, unix.Major(st.Rdev), unix.Minor(st.Rdev)
	case unix.S_IFBLK:
		i.Kind, i.Major, i.Minor = tree.KindBlockDevice, unix.Major(st.Rdev), unix.Minor(st.Rdev)
	case unix.S_IFIFO:
		i.Kind = tree.KindFifo
	case unix.S_IFSOCK:
		i.Kind = tree.KindSocket
	default:
		i.Kind, i.Size = tree.KindFile, st.Size
		if i.Size == 0 {
			return nil
		}
		var b []byte
		if b, err = os.ReadFile(p); err == nil {
			i.Content, i.Text = digest.Of(b), string(b)
		}
	}
	return err
}

func readXattrs(p string) (tree.Xattrs, error) {
	buf := make([]byte, 64<<10)
	n, err := unix.Llistxattr(p, buf)
	if err != nil {
		return tree.Xattrs{}, err
	}
	m := map[string]string{}
	for name := range bytes.SplitSeq(bytes.TrimSuffix(buf[:n], []byte{0}), []byte{0}) {
		if len(name) == 0 {
			continue
		}
		value := make([]byte, 64<<10)
		n, err := unix.Lgetxattr(p, string(name), value)
		if err != nil {
			return tree.Xattrs{}, fmt.Errorf("%s: %w", name, err)
		}
		m[string(name)] = string(value[:n])
	}
	return tree.NewXattrs(m), nil
}

// Root tells whether this process may make what listings have: owners, devices,
// trusted attributes.
func Root() bool { return os.Geteuid() == 0 }
