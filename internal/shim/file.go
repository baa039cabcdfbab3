//go:build linux

package shim

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// file makes a file, which must not exist.
func (x *applier) file(dir int, name string, size int64, from Content) (err error) {
	fd, err := retry(func() (int, error) {
		return unix.Openat(dir, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	})
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), name)
	defer func() { err = errors.Join(err, f.Close()) }()
	switch from := from.(type) {
	case Inline:
		_, err = f.Write(from)
	case At:
		err = x.copyFrom(f, size, from)
	}
	return err
}

// copyFrom copies a file of a source.
func (x *applier) copyFrom(to *os.File, size int64, at At) error {
	if at.Source >= len(x.sources) {
		return fmt.Errorf("source %d: there are %d", at.Source, len(x.sources))
	}
	dir, name, err := x.sources[at.Source].parent(at.Path)
	if err != nil {
		return fmt.Errorf("source %d: %w", at.Source, err)
	}
	fd, err := retry(func() (int, error) {
		return unix.Openat(dir, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	})
	if err != nil {
		return fmt.Errorf("source %d: %s: %w", at.Source, at.Path, err)
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("source %d: %s: %w", at.Source, at.Path, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Size != size {
		return fmt.Errorf("source %d: %s: it is no file of %d bytes", at.Source, at.Path, size)
	}
	if err := x.copyData(int(to.Fd()), fd, size, st.Blocks*512 < size); err != nil {
		return fmt.Errorf("copy %s of source %d: %w", at.Path, at.Source, err)
	}
	return nil
}

// copyData copies what is not a hole.
func (x *applier) copyData(to, from int, size int64, sparse bool) error {
	if err := unix.Ftruncate(to, size); err != nil {
		return err
	}
	for at := int64(0); at < size; {
		end := size
		if sparse {
			data, next, err := extent(from, at, size)
			if err != nil {
				return err
			}
			at, end = data, next
		}
		for at < end {
			if err := x.ctx.Err(); err != nil {
				return err
			}
			n, err := x.copyPiece(to, from, at, end-at)
			if err != nil {
				return err
			}
			at += int64(n)
		}
	}
	return nil
}

// copyPiece copies some bytes, by the kernel where it can.
func (x *applier) copyPiece(to, from int, at, most int64) (int, error) {
	most = min(most, 1<<30)
	in, out := at, at
	n, err := retry(func() (int, error) { return unix.CopyFileRange(from, &in, to, &out, int(most), 0) })
	if err == nil && n > 0 {
		return n, nil
	}
	switch err {
	case nil, unix.EXDEV, unix.ENOSYS, unix.EOPNOTSUPP, unix.EINVAL, unix.EPERM:
	default:
		return 0, err
	}
	b := x.buf[:min(int64(len(x.buf)), most)]
	n, err = retry(func() (int, error) { return unix.Pread(from, b, at) })
	if err == nil && n == 0 {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return 0, err
	}
	return retry(func() (int, error) { return unix.Pwrite(to, b[:n], at) })
}

// extent gives where the next data at or behind at begins and ends; both are size
// when there is none.
func extent(fd int, at, size int64) (data, end int64, err error) {
	data, err = unix.Seek(fd, at, unix.SEEK_DATA)
	switch {
	case err == unix.ENXIO || err == nil && data >= size:
		return size, size, nil
	case err == unix.EINVAL || err == unix.EOPNOTSUPP:
		return at, size, nil // it does not tell
	case err != nil:
		return 0, 0, err
	}
	end, err = unix.Seek(fd, data, unix.SEEK_HOLE)
	return data, min(end, size), err
}
