//go:build linux

package checkout

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// removeAll removes dir and all below it. It follows no symlink, and it stops at
// a mount, where os.RemoveAll would empty what is mounted.
func removeAll(dir string) error {
	parent, err := os.Open(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	err = removeBelow(parent)
	if err := errors.Join(err, parent.Close()); err != nil {
		return err
	}
	return os.Remove(dir)
}

func removeBelow(d *os.File) error {
	for {
		names, err := d.Readdirnames(256)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, name := range names {
			if err := removeName(d, name); err != nil {
				return err
			}
		}
	}
}

func removeName(d *os.File, name string) error {
	at := int(d.Fd())
	err := unix.Unlinkat(at, name, 0)
	if err == nil || errors.Is(err, unix.ENOENT) {
		return nil
	}
	if !errors.Is(err, unix.EISDIR) && !errors.Is(err, unix.EPERM) {
		return &os.PathError{Op: "remove", Path: d.Name() + "/" + name, Err: err}
	}
	fd, err := unix.Openat2(at, name, &unix.OpenHow{
		Flags:   unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_NO_XDEV | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_BENEATH,
	})
	if errors.Is(err, unix.EXDEV) {
		return fmt.Errorf("remove %s/%s: something is still mounted there", d.Name(), name)
	}
	if err != nil {
		return &os.PathError{Op: "remove", Path: d.Name() + "/" + name, Err: err}
	}
	sub := os.NewFile(uintptr(fd), d.Name()+"/"+name)
	err = removeBelow(sub)
	if err := errors.Join(err, sub.Close()); err != nil {
		return err
	}
	if err := unix.Unlinkat(at, name, unix.AT_REMOVEDIR); err != nil && !errors.Is(err, unix.ENOENT) {
		return &os.PathError{Op: "remove", Path: d.Name() + "/" + name, Err: err}
	}
	return nil
}
