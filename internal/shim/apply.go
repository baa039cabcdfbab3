//go:build linux

package shim

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sys/unix"
)

// Apply changes the directory root as the list in the file list says, with contents
// from the directories sources. Nobody else may write to them meanwhile. Symlinks in
// them are not followed; the paths of the directories themselves may lead through
// some. After an error, which names the path in question, root is in between.
func Apply(ctx context.Context, list, root string, sources []string) (err error) {
	f, err := os.Open(list)
	if err != nil {
		return err
	}
	defer f.Close()
	x := &applier{attrs: newAttrs(), ctx: ctx, buf: make([]byte, 1<<18)}
	defer x.close()
	if x.root, err = newDescent(root); err != nil {
		return err
	}
	for _, s := range sources {
		d, err := newDescent(s)
		if err != nil {
			return err
		}
		x.sources = append(x.sources, d)
	}
	for c, err := range ReadChanges(f) {
		if err != nil {
			return fmt.Errorf("%s: %w", list, err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := x.change(c); err != nil {
			return err
		}
	}
	return x.finish("/", &x.told)
}

type applier struct {
	attrs
	ctx     context.Context // of the one call of Apply that made it
	root    *descent
	sources []*descent
	told    told
	buf     []byte
}

func (x *applier) close() {
	if x.root != nil {
		x.root.close()
	}
	for _, s := range x.sources {
		s.close()
	}
}

// change carries out one change.
func (x *applier) change(c Change) error {
	switch c := c.(type) {
	case Remove:
		return changeError("remove", c.Path, x.remove(c.Path))
	case MakeDir:
		return changeError("make directory", c.Path, x.makeDir(c))
	case Put:
		return changeError("put", c.Path, x.put(c))
	case Link:
		return changeError("link", c.Path, x.link(c))
	case SetAttr:
		return changeError("set attributes", c.Path, x.setAttrAt(c))
	case Rename:
		return changeError("rename", c.From, x.rename(c))
	}
	return fmt.Errorf("unknown change %T", c)
}

// changeError names the path in the tree that an error is about.
func changeError(op, p string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, unix.EPERM) {
		err = fmt.Errorf("%w (what a container may do there does not suffice)", err)
	}
	return &fs.PathError{Op: op, Path: p, Err: err}
}

// place opens the directory above a path whose name is about to change, and notes
// that it does.
func (x *applier) place(p string) (dir int, name string, err error) {
	dir, name, err = x.root.parent(p)
	if err == nil {
		above, _ := splitPath(p)
		x.told.at(above).written = true
	}
	return dir, name, err
}

// clear opens the directory above a path, and takes away what stands there.
func (x *applier) clear(p string) (dir int, name string, err error) {
	if dir, name, err = x.place(p); err != nil {
		return dir, name, err
	}
	x.told.take(p)
	return dir, name, removeAll(dir, name)
}

func (x *applier) remove(p string) error {
	_, _, err := x.clear(p)
	return err
}

func (x *applier) makeDir(c MakeDir) error {
	dir, name, err := x.place(c.Path)
	if err != nil {
		return err
	}
	kind, err := kindAt(dir, name)
	switch {
	case errors.Is(err, unix.ENOENT):
		err = unix.Mkdirat(dir, name, 0o700)
	case err == nil && kind != unix.S_IFDIR:
		if err = removeAll(dir, name); err == nil {
			err = unix.Mkdirat(dir, name, 0o700)
		}
	}
	if err == nil {
		x.told.at(c.Path).attr = &c.Attr
	}
	return err
}

func (x *applier) put(c Put) error {
	dir, name, err := x.clear(c.Path)
	if err != nil {
		return err
	}
	switch e := c.Entry.(type) {
	case tree.File:
		err = x.file(dir, name, e.Size, c.From)
	case tree.Symlink:
		err = unix.Symlinkat(e.Target, dir, name)
	case tree.Device:
		err = device(dir, name, e)
	case tree.Fifo:
		err = unix.Mknodat(dir, name, unix.S_IFIFO|0o600, 0)
	case tree.Socket:
		err = unix.Mknodat(dir, name, unix.S_IFSOCK|0o600, 0)
	}
	if err != nil {
		return err
	}
	return x.setAttr(dir, name, c.Entry.Kind() == tree.KindSymlink, c.Entry.Attr())
}

func device(dir int, name string, e tree.Device) error {
	kind := uint32(unix.S_IFCHR)
	if e.Block {
		kind = unix.S_IFBLK
	}
	if e.Major > 1<<12-1 || e.Minor > 1<<20-1 {
		return fmt.Errorf("device %d:%d: %w", e.Major, e.Minor, unix.EINVAL)
	}
	if !e.Block && e.Major == 0 && e.Minor == 0 {
		return errors.New("the character device 0:0 means a removed name to overlayfs: no daemon can keep it")
	}
	if err := unix.Mknodat(dir, name, kind|0o600, int(unix.Mkdev(e.Major, e.Minor))); err != nil {
		return fmt.Errorf("device %d:%d: %w", e.Major, e.Minor, err)
	}
	return nil
}

func (x *applier) link(c Link) error {
	above, last := splitPath(c.To)
	from, err := x.open(above)
	if err != nil {
		return fmt.Errorf("to %s: %w", c.To, err)
	}
	defer unix.Close(from)
	var to unix.Stat_t
	if err := unix.Fstatat(from, last, &to, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("to %s: %w", c.To, err)
	}
	if to.Mode&unix.S_IFMT == unix.S_IFDIR {
		return fmt.Errorf("to %s: a directory cannot have two names", c.To)
	}
	dir, name, err := x.place(c.Path)
	if err != nil {
		return err
	}
	var now unix.Stat_t
	if unix.Fstatat(dir, name, &now, unix.AT_SYMLINK_NOFOLLOW) == nil && now.Dev == to.Dev && now.Ino == to.Ino {
		return nil
	}
	if dir, name, err = x.clear(c.Path); err != nil {
		return err
	}
	if err := unix.Linkat(from, last, dir, name, 0); err != nil {
		return fmt.Errorf("to %s: %w", c.To, err)
	}
	return nil
}

// open opens a directory apart from those that are kept open.
func (x *applier) open(p string) (int, error) {
	dir, name, err := x.root.parent(p)
	if err != nil {
		return -1, err
	}
	fd, err := unix.Openat(dir, name, pathFlags, 0)
	if err != nil {
		return -1, fmt.Errorf("%s: %w", p, err)
	}
	return fd, nil
}

// setAttrAt sets attributes: of a directory at the end.
func (x *applier) setAttrAt(c SetAttr) error {
	dir, name, err := x.root.parent(c.Path)
	if err != nil {
		return err
	}
	kind, err := kindAt(dir, name)
	if err != nil {
		return err
	}
	if kind == unix.S_IFDIR {
		x.told.at(c.Path).attr = &c.Attr
		return nil
	}
	return x.setAttr(dir, name, kind == unix.S_IFLNK, c.Attr)
}

// finish gives directories their attributes, those below first.
func (x *applier) finish(p string, t *told) error {
	for name, below := range t.below {
		if err := x.finish(path.Join(p, name), below); err != nil {
			return err
		}
	}
	if t.attr == nil {
		if t.written {
			return fmt.Errorf("the list changes names in %s and does not say its attributes", p)
		}
		return nil
	}
	dir, name, err := x.root.parent(p)
	if err == nil {
		err = x.setDir(dir, name, *t.attr)
	}
	return changeError("set attributes", p, err)
}

// kindAt gives the kind of what stands at a name.
func kindAt(dir int, name string) (uint32, error) {
	var st unix.Stat_t
	err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	return st.Mode & unix.S_IFMT, err
}
