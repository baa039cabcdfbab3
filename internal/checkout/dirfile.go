//go:build linux

package checkout

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"

	"github.com/inlaybuild/inlay/internal/erofs"
	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sys/unix"
)

// batch writes entries of one directory that are not directories.
func (w *dirWriter) batch(ctx context.Context, b batch, buf []byte) error {
	var p Progress
	defer func() { w.report(p) }()
	err := w.at(b.dir, func(fd int) error {
		for _, it := range b.items {
			if err := ctx.Err(); err != nil {
				return err
			}
			err := w.replace(fd, path.Base(it.Path), func(name string) error {
				n, err := w.entry(ctx, fd, name, it.Entry, buf)
				p.Bytes += n
				return err
			})
			if err != nil {
				return pathError("checkout", it.Path, err)
			}
			p.Entries++
		}
		return nil
	})
	return pathError("checkout", b.dir, err)
}

// replace makes a name by f. When the directory may hold one already, f makes
// another name first, which is then renamed: whoever reads sees the old or the
// new.
func (w *dirWriter) replace(dir int, name string, f func(name string) error) error {
	if !w.merge {
		return f(name)
	}
	err := f(name)
	if !errors.Is(err, unix.EEXIST) {
		return err
	}
	for range 1000 {
		temp := fmt.Sprintf(".inlay-%d-%d", os.Getpid(), w.temps.Add(1))
		err = f(temp)
		if errors.Is(err, unix.EEXIST) {
			continue
		}
		if err == nil {
			err = unix.Renameat(dir, temp, dir, name)
		}
		// It is still there too when both names were one inode.
		_ = unix.Unlinkat(dir, temp, 0)
		if errors.Is(err, unix.EISDIR) {
			return fmt.Errorf("a directory is there: %w: remove it first", err)
		}
		return err
	}
	return err
}

// entry makes one entry, which must not exist.
func (w *dirWriter) entry(ctx context.Context, dir int, name string, e tree.Entry, buf []byte) (n int64, err error) {
	switch e := e.(type) {
	case tree.File:
		n, err = w.file(ctx, dir, name, e, buf)
	case tree.Symlink:
		err = unix.Symlinkat(e.Target, dir, name)
	case tree.Device:
		kind := uint32(unix.S_IFCHR)
		if e.Block {
			kind = unix.S_IFBLK
		}
		if e.Major > 1<<12-1 || e.Minor > 1<<20-1 {
			return 0, fmt.Errorf("device %d:%d: %w", e.Major, e.Minor, unix.EINVAL)
		}
		if w.attrs.escape && !e.Block && e.Major == 0 && e.Minor == 0 {
			return 0, fmt.Errorf("%w: the character device 0:0 means a removed name to overlayfs; remove it from the tree first", erofs.ErrUnsupported)
		}
		err = unix.Mknodat(dir, name, kind|0o600, int(unix.Mkdev(e.Major, e.Minor)))
	case tree.Fifo:
		err = unix.Mknodat(dir, name, unix.S_IFIFO|0o600, 0)
	case tree.Socket:
		err = unix.Mknodat(dir, name, unix.S_IFSOCK|0o600, 0)
	default:
		err = fmt.Errorf("unknown kind of entry %T", e)
	}
	if err != nil {
		return n, err
	}
	return n, w.attrs.set(dir, name, e)
}

func (w *dirWriter) file(ctx context.Context, dir int, name string, e tree.File, buf []byte) (n int64, err error) {
	fd, err := unix.Openat(dir, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return 0, err
	}
	f := os.NewFile(uintptr(fd), name)
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	if e.Size == 0 {
		return 0, nil
	}
	if w.redirect != nil {
		if err := unix.Fsetxattr(fd, overlayPrefix+"metacopy", nil, 0); err != nil {
			return 0, err
		}
		if err := unix.Fsetxattr(fd, overlayPrefix+"redirect", []byte(w.redirect(e.Content)), 0); err != nil {
			return 0, err
		}
		return 0, f.Truncate(e.Size)
	}
	blob, err := w.open(ctx, e.Content)
	if err != nil {
		return 0, fmt.Errorf("its content: %w", err)
	}
	defer blob.Close()
	n, err = w.copy(ctx, f, blob, e.Size, buf)
	if err == nil && n != e.Size {
		err = fmt.Errorf("%d of %d bytes of %s: %w", n, e.Size, e.Content, io.ErrUnexpectedEOF)
	}
	return n, err
}

const sparseBlock = 4096

// copy copies at most size bytes, and with w.sparse passes over blocks of zeros.
func (w *dirWriter) copy(ctx context.Context, f *os.File, r io.Reader, size int64, buf []byte) (int64, error) {
	at, end := int64(0), false
	for !end {
		if err := ctx.Err(); err != nil {
			return at, err
		}
		n, err := io.ReadFull(r, buf[:min(int64(len(buf)), size-at+1)])
		switch {
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			end = true
		case err != nil:
			return at, err
		}
		if at+int64(n) > size {
			return at, fmt.Errorf("the blob has more than the %d bytes of the file", size)
		}
		for b := buf[:n]; len(b) > 0; {
			k := len(b)
			if w.sparse {
				k = min(k, sparseBlock)
			}
			if !w.sparse || !isZero(b[:k]) {
				if _, err := f.WriteAt(b[:k], at); err != nil {
					return at, err
				}
			}
			at, b = at+int64(k), b[k:]
		}
	}
	if w.sparse {
		return at, f.Truncate(at)
	}
	return at, nil
}

func isZero(b []byte) bool {
	var zeros [sparseBlock]byte
	return bytes.Equal(b, zeros[:len(b)])
}
