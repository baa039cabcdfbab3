package capture

import (
	"encoding/binary"
	"errors"
	"path/filepath"
	"strconv"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// dirFlags opens a directory that is a directory.
const dirFlags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC

// openDir is an open directory. It is closed when the last one who needs it
// lets go: those who read it, and those who will open directories in it.
type openDir struct {
	fd   int
	refs atomic.Int32
}

func newOpenDir(fd int) *openDir {
	d := &openDir{fd: fd}
	d.refs.Store(1)
	return d
}

func (d *openDir) hold() { d.refs.Add(1) }

func (d *openDir) release() {
	if d.refs.Add(-1) == 0 {
		unix.Close(d.fd)
	}
}

// proc gives a path by which the kernel finds name in the directory, however
// deep it lies.
func (d *openDir) proc(name string) string {
	return "/proc/self/fd/" + strconv.Itoa(d.fd) + "/" + name
}

// openat is openat(2), repeated when a signal interrupts it.
func openat(dir int, name string, flags int) (int, error) {
	for {
		fd, err := unix.Openat(dir, name, flags, 0)
		if err != unix.EINTR {
			return fd, err
		}
	}
}

// names gives the names in the directory fd, with their types as far as the
// file system tells them, in the order in which it does. A directory that is
// changed under way may give a name twice.
func names(fd int, buf []byte) ([]dirent, error) {
	var out []dirent
	for {
		n, err := unix.Getdents(fd, buf)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, err
		}
		if n <= 0 {
			return out, nil
		}
		if out, err = appendDirents(out, buf[:n]); err != nil {
			return nil, err
		}
	}
}

// dirent is a name in a directory and its DT_ type, DT_UNKNOWN where the file
// system does not tell.
type dirent struct {
	name string
	kind byte
}

var errDirents = errors.New("the file system gives a malformed list of names")

// appendDirents reads linux_dirent64 records: ino 8, off 8, reclen 2, type 1,
// name and NUL.
func appendDirents(out []dirent, b []byte) ([]dirent, error) {
	const header = 19
	for len(b) > 0 {
		if len(b) < header {
			return nil, errDirents
		}
		size := int(binary.NativeEndian.Uint16(b[16:]))
		if size < header || size > len(b) {
			return nil, errDirents
		}
		name := b[header:size]
		for i, c := range name {
			if c == 0 {
				name = name[:i]
				break
			}
		}
		if s := string(name); s != "." && s != ".." && s != "" {
			out = append(out, dirent{s, b[18]})
		}
		b = b[size:]
	}
	return out, nil
}

func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return filepath.Join(dir, name)
}
