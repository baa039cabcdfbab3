//go:build linux

package shim

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"golang.org/x/sys/unix"
)

// descent opens the directories of a tree on disk, name by name and through no
// symlink. It keeps those that lead to the last path open: neighbors are quick.
type descent struct {
	root  int
	steps []step
}

// step is an open directory below the root.
type step struct {
	name string
	fd   int
}

// pathFlags opens a directory for what is done by its descriptor.
const pathFlags = unix.O_PATH | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC

func newDescent(dir string) (*descent, error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: dir, Err: err}
	}
	return &descent{root: fd}, nil
}

// parent gives the directory that holds a path, open until the next call, and the
// path's last name. Of the root it gives the root and ".".
func (d *descent) parent(p string) (fd int, name string, err error) {
	if p == "/" {
		return d.root, ".", nil
	}
	fd = d.root
	for depth, rest := 0, p[1:]; ; depth++ {
		var deeper bool
		if name, rest, deeper = strings.Cut(rest, "/"); !deeper {
			d.cut(depth)
			return fd, name, nil
		}
		if depth < len(d.steps) && d.steps[depth].name == name {
			fd = d.steps[depth].fd
			continue
		}
		d.cut(depth)
		next, err := retry(func() (int, error) { return unix.Openat(fd, name, pathFlags, 0) })
		if errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP) {
			err = fmt.Errorf("%w: no symlink is followed", unix.ENOTDIR)
		}
		if err != nil {
			return -1, "", fmt.Errorf("the directory above it: %s: %w", p[:len(p)-len(rest)-1], err)
		}
		d.steps = append(d.steps, step{name, next})
		fd = next
	}
}

// cut closes all directories deeper than that.
func (d *descent) cut(depth int) {
	if depth >= len(d.steps) {
		return
	}
	for _, s := range d.steps[depth:] {
		unix.Close(s.fd)
	}
	d.steps = d.steps[:depth]
}

func (d *descent) close() {
	d.cut(0)
	unix.Close(d.root)
}

func retry[T any](call func() (T, error)) (T, error) {
	for {
		v, err := call()
		if err != unix.EINTR {
			return v, err
		}
	}
}
