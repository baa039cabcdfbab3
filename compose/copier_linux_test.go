package compose_test

import (
	"errors"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sys/unix"
)

// diskCopier copies as sections 2 and 3 of the rules say, in a chroot, by system
// calls alone, one entry after the other. What paths mean is the kernel's
// business: no symlink is looked at here, but for one that leads to nothing, which
// no system call makes a directory through.
//
// What it copies comes from a listing. It plans nothing, and knows nothing of
// what it did before, but for the inodes of hardlinks and the times of
// directories, which are put right at the end.
type diskCopier struct {
	src  treetest.Listing
	o    compose.Options
	proc int // /proc/self/fd
	keep int // a directory outside, for one name of each inode that has several

	inodes      map[string]string        // of the source, by first paths, to names in keep
	times       map[uint64]unix.Timespec // of directories, by inode
	overwritten []string
}

// diskSource is one thing to copy, and what it is called.
type diskSource struct {
	treetest.Item
	name string
}

// copy copies to a path. The sources are several if several says so.
func (c *diskCopier) copy(to string, sources []diskSource, several bool) error {
	slash := strings.HasSuffix(to, "/") || strings.HasSuffix(to, "/.") || to == "." || to == ""
	to, into := path.Clean("/"+to), several || slash
	if err := c.remember("/"); err != nil {
		return err
	}
	isDir := func(s diskSource) bool { return s.Kind == tree.KindDirectory }
	if c.o.Existing == compose.ExistingReplace && slices.ContainsFunc(sources, isDir) {
		if dir, err := c.open(to); err == nil {
			err = c.removeAll(dir)
			unix.Close(dir)
			if err != nil {
				return err
			}
		}
	}
	for _, s := range sources {
		if err := c.one(to, s, into); err != nil {
			return err
		}
	}
	return c.restore("/")
}

// one copies one source: a file into the directory, if into says so.
func (c *diskCopier) one(to string, s diskSource, into bool) error {
	dir, err := c.open(to)
	if err == nil {
		defer unix.Close(dir)
	}
	if s.Kind == tree.KindDirectory {
		if err == nil {
			return c.contents(s.Path, dir)
		}
		return c.onto(to, s)
	}
	if into || to == "/" || err == nil && !c.o.Overlay {
		dir, err := c.makeDir(to)
		if err != nil {
			return err
		}
		defer unix.Close(dir)
		return c.put(s.Item, dir, s.name)
	}
	return c.onto(to, s)
}

// onto makes something the thing that a path leads to.
func (c *diskCopier) onto(to string, s diskSource) error {
	if !c.o.Overlay {
		fd, err := treetest.Openat2(unix.AT_FDCWD, to, &unix.OpenHow{Flags: unix.O_PATH})
		switch err {
		case nil:
			to = c.where(fd)
			unix.Close(fd)
		case unix.ENOENT:
			if to, err = c.missing(to); err != nil {
				return err
			}
		default:
			return err
		}
	}
	dir, err := c.makeDir(path.Dir(to))
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	return c.put(s.Item, dir, path.Base(to))
}

// contents copies what a directory of the source holds.
func (c *diskCopier) contents(from string, dst int) error {
	for _, i := range c.src {
		if i.Path != "/" && path.Dir(i.Path) == from {
			if err := c.put(i, dst, path.Base(i.Path)); err != nil {
				return err
			}
		}
	}
	return nil
}

// put copies an item to a name in a directory.
func (c *diskCopier) put(i treetest.Item, dst int, name string) error {
	if i.Kind != tree.KindDirectory {
		return c.leaf(i, dst, name)
	}
	flags := unix.O_RDONLY | unix.O_DIRECTORY
	if c.o.Overlay {
		flags |= unix.O_NOFOLLOW
	}
	into, err := unix.Openat(dst, name, flags, 0)
	if err != nil {
		if into, err = c.newDir(dst, name); err != nil {
			return err
		}
	}
	defer unix.Close(into)
	i.Attr = c.attr(i)
	if err := c.setAttr(into, i.Attr); err != nil {
		return err
	}
	return c.contents(i.Path, into)
}

func (c *diskCopier) leaf(i treetest.Item, dst int, name string) error {
	if err := c.remove(dst, name); err != nil {
		return err
	}
	group := i.Path
	if i.Same != "" {
		group = i.Same
	}
	if kept := c.inodes[group]; kept != "" {
		return unix.Linkat(c.keep, kept, dst, name, 0)
	}
	if err := unix.Fchdir(dst); err != nil {
		return err
	}
	i.Attr = c.attr(i)
	if err := i.Create(name); err != nil {
		return err
	}
	if err := i.SetAttr(name); err != nil {
		return err
	}
	if !slices.ContainsFunc(c.src, func(o treetest.Item) bool { return o.Same == group }) {
		return nil
	}
	c.inodes[group] = strconv.Itoa(len(c.inodes))
	return unix.Linkat(dst, name, c.keep, c.inodes[group], 0)
}

// attr gives the attributes that the options make of an item's.
func (c *diskCopier) attr(i treetest.Item) tree.Attr {
	a := i.Attr
	if c.o.Owner != nil {
		a.UID, a.GID = c.o.Owner.UID, c.o.Owner.GID
	}
	if c.o.Mode != nil && i.Kind != tree.KindSymlink {
		a.Mode = c.o.Mode.Of(a.Mode, i.Kind == tree.KindDirectory)
	}
	if c.o.Time != nil {
		a.ModTime = *c.o.Time
	}
	return a
}

// open opens the directory that a path leads to, which the kernel does not clean.
func (c *diskCopier) open(p string) (int, error) {
	how := &unix.OpenHow{Flags: unix.O_RDONLY | unix.O_DIRECTORY}
	if c.o.Overlay {
		how.Resolve = unix.RESOLVE_NO_SYMLINKS
	}
	return treetest.Openat2(unix.AT_FDCWD, p, how)
}

// makeDir opens the directory that a path leads to, and makes it if need be, with
// its parents. As an overlay it replaces what is in the way.
func (c *diskCopier) makeDir(p string) (int, error) {
	dir, err := c.open(p)
	if err == nil || err != unix.ENOENT && !c.o.Overlay {
		return dir, err
	}
	if !c.o.Overlay {
		if p, err = c.missing(p); err != nil {
			return -1, err
		}
	}
	up, err := c.makeDir(path.Dir(p))
	if err != nil {
		return -1, err
	}
	defer unix.Close(up)
	if dir, err = c.newDir(up, path.Base(p)); err != nil {
		return -1, err
	}
	a := tree.Attr{Mode: 0o755, ModTime: c.o.Epoch}
	if c.o.Owner != nil {
		a.UID, a.GID = c.o.Owner.UID, c.o.Owner.GID
	}
	return dir, c.setAttr(dir, a)
}

// missing makes the parents of what a path leads to, which is not there, and
// gives its place, free of symlinks. The kernel tells it by creating a file.
func (c *diskCopier) missing(p string) (string, error) {
	p = strings.TrimRight(p, "/") // a directory is made by such a name, too
	dir, name := path.Split(p)
	if name == "." || name == ".." { // of something that is missing
		return "", unix.ENOENT
	}
	up, err := c.makeDir(dir)
	if err != nil {
		return "", err
	}
	unix.Close(up)
	fd, err := treetest.Openat2(unix.AT_FDCWD, p, &unix.OpenHow{Flags: unix.O_CREAT | unix.O_WRONLY, Mode: 0o600})
	switch err {
	case nil:
		defer unix.Close(fd)
		at := c.where(fd)
		return at, unix.Unlink(at)
	case unix.ENOENT, unix.EISDIR: // a link to something with parents that are missing, or with a slash behind it
		target, err := os.Readlink(p)
		if err != nil {
			return "", err
		}
		if !strings.HasPrefix(target, "/") {
			target = dir + target
		}
		return c.missing(target)
	}
	return "", err
}

// newDir makes a directory in the place of what is there.
func (c *diskCopier) newDir(dst int, name string) (int, error) {
	if err := c.remove(dst, name); err != nil {
		return -1, err
	}
	if err := unix.Mkdirat(dst, name, 0o700); err != nil {
		return -1, err
	}
	return unix.Openat(dst, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
}

// remove takes a name away, with all below it.
func (c *diskCopier) remove(dst int, name string) error {
	err := unix.Unlinkat(dst, name, 0)
	if err == unix.EISDIR {
		var dir int
		if dir, err = unix.Openat(dst, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0); err != nil {
			return err
		}
		defer unix.Close(dir)
		was := c.overwritten
		if err := c.removeAll(dir); err != nil {
			return err
		}
		c.overwritten = was // one for all of it
		err = unix.Unlinkat(dst, name, unix.AT_REMOVEDIR)
	}
	if err == nil {
		c.overwritten = append(c.overwritten, path.Join(c.where(dst), name))
	}
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	return err
}

// removeAll takes away all that a directory holds.
func (c *diskCopier) removeAll(dir int) error {
	names, err := diskNames(dir)
	for _, n := range names {
		if err == nil {
			err = c.remove(dir, n)
		}
	}
	return err
}

func diskNames(dir int) ([]string, error) {
	again, err := unix.Openat(dir, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(again), "")
	defer f.Close()
	return f.Readdirnames(-1)
}

// where gives the path of what is open.
func (c *diskCopier) where(fd int) string {
	b := make([]byte, unix.PathMax)
	n, err := unix.Readlinkat(c.proc, strconv.Itoa(fd), b)
	if err != nil {
		panic(err)
	}
	return string(b[:n])
}

// setAttr gives an open directory its attributes, and takes away what else there
// is of them.
func (c *diskCopier) setAttr(dir int, a tree.Attr) error {
	if err := unix.Fchdir(dir); err != nil {
		return err
	}
	names := make([]byte, 64<<10)
	n, err := unix.Llistxattr(".", names)
	if err != nil {
		return err
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(string(names[:n]), "\x00"), "\x00") {
		if name != "" && unix.Lremovexattr(".", name) != nil {
			return errors.New("remove " + name)
		}
	}
	var st unix.Stat_t
	if err := unix.Fstat(dir, &st); err != nil {
		return err
	}
	c.times[st.Ino] = unix.Timespec{Sec: a.ModTime.Sec, Nsec: int64(a.ModTime.Nsec)}
	return treetest.Item{Kind: tree.KindDirectory, Attr: a}.SetAttr(".")
}

// remember takes down the times of all directories.
func (c *diskCopier) remember(p string) error {
	return eachDir(p, func(p string, st unix.Stat_t) error {
		c.times[st.Ino] = st.Mtim
		return nil
	})
}

// restore gives all directories the times that were taken down.
func (c *diskCopier) restore(p string) error {
	return eachDir(p, func(p string, st unix.Stat_t) error {
		return unix.UtimesNanoAt(unix.AT_FDCWD, p, []unix.Timespec{{}, c.times[st.Ino]}, unix.AT_SYMLINK_NOFOLLOW)
	})
}

func eachDir(p string, f func(string, unix.Stat_t) error) error {
	var st unix.Stat_t
	if err := unix.Lstat(p, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return err
	}
	if err := f(p, st); err != nil {
		return err
	}
	entries, err := os.ReadDir(p)
	for _, e := range entries {
		if err == nil && e.IsDir() {
			err = eachDir(path.Join(p, e.Name()), f)
		}
	}
	return err
}
