//go:build linux

package checkout

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/erofs"
	"github.com/inlaybuild/inlay/internal/mount"
	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sys/unix"
)

const (
	imagePrefix = "erofs1-"
	metaPrefix  = "meta1-"
	copyPrefix  = "copy1-"
	imageName   = "image"
	treeName    = "tree"
)

// base gives a layer that shows the whole of t, held for the caller: from the
// cache, or made now.
func (r *Roots) base(ctx context.Context, t tree.Tree, d digest.Digest) (*layer, error) {
	switch r.method {
	case EROFS, Loop:
		return r.baseImage(ctx, t, d)
	case Metadata:
		return r.baseDir(ctx, t, metaPrefix+d.Hex())
	default:
		return r.baseDir(ctx, t, copyPrefix+d.Hex())
	}
}

func (r *Roots) baseImage(ctx context.Context, t tree.Tree, d digest.Digest) (*layer, error) {
	dir := filepath.Join(r.o.RootsDir, imagePrefix+d.Hex())
	if l := r.cachedImage(dir); l != nil {
		return l, nil
	}
	f, err := r.writeImage(ctx, erofs.FromTree(ctx, t), t.Count()+1)
	if err != nil {
		return nil, err
	}
	m, err := r.mountImage(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	l := &layer{refs: 2, mount: m} // the caller, and until it has its name
	r.later(func() error {
		c, err := nameImage(f, dir)
		r.mu.Lock()
		defer r.mu.Unlock()
		l.claim = c
		r.drop([]*layer{l})
		return err
	})
	return l, nil
}

// cachedImage mounts an image that was made before; nil when there is none that
// is whole.
func (r *Roots) cachedImage(dir string) *layer {
	c, err := tryClaim(dir, unix.LOCK_SH)
	if err != nil {
		return nil
	}
	f, err := os.OpenFile(filepath.Join(dir, imageName), unix.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		c.f.Close()
		return nil
	}
	defer f.Close()
	if wholeImage(f) {
		if m, err := r.mountImage(f); err == nil {
			return &layer{refs: 1, mount: m, claim: c}
		}
	}
	c.f.Close()
	return nil
}

// wholeImage tells whether a file is as long as its superblock says.
func wholeImage(f *os.File) bool {
	var super [128]byte
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	if _, err := f.ReadAt(super[:], 1024); err != nil {
		return false
	}
	return int64(binary.LittleEndian.Uint32(super[36:]))<<super[12] == info.Size()
}

// nameImage puts an image without a name into the cache, once it is safe on
// disk, and closes it. It gives the claim of the entry; nil when others use the
// entry in another way, or are making it.
func nameImage(f *os.File, dir string) (c *claim, err error) {
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := unix.Fdatasync(int(f.Fd())); err != nil {
		return nil, &os.PathError{Op: "fdatasync", Path: dir, Err: err}
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	c, err = tryClaim(dir, unix.LOCK_SH)
	if errors.Is(err, errTaken) || errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a collector is at it
	}
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, imageName)
	err = unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", f.Fd()), unix.AT_FDCWD, path, unix.AT_SYMLINK_FOLLOW)
	if errors.Is(err, fs.ErrExist) {
		return c, replaceBroken(f, path)
	}
	if err != nil {
		return c, &os.PathError{Op: "link", Path: path, Err: err}
	}
	return c, nil
}

// replaceBroken replaces an image that could not be used by f.
func replaceBroken(f *os.File, path string) error {
	old, err := os.Open(path)
	if err != nil {
		return err
	}
	defer old.Close()
	if wholeImage(old) && sameStart(old, f) {
		return nil
	}
	temp := fmt.Sprintf("%s.%d", path, os.Getpid())
	err = unix.Linkat(unix.AT_FDCWD, fmt.Sprintf("/proc/self/fd/%d", f.Fd()), unix.AT_FDCWD, temp, unix.AT_SYMLINK_FOLLOW)
	if err != nil {
		return &os.PathError{Op: "link", Path: temp, Err: err}
	}
	return os.Rename(temp, path)
}

func sameStart(a, b *os.File) bool {
	var x, y [8192]byte
	n, _ := a.ReadAt(x[:], 0)
	m, _ := b.ReadAt(y[:], 0)
	return n == m && bytes.Equal(x[:n], y[:m])
}

// image gives a layer of a delta, held for the caller. Its file has no name: it is gone with the layer.
func (r *Roots) image(ctx context.Context, d *erofs.Delta) (*layer, error) {
	f, err := r.writeImage(ctx, d.Nodes(ctx), int64(d.Len()))
	if err != nil {
		return nil, err
	}
	m, err := r.mountImage(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, errors.Join(err, m.Close())
	}
	return &layer{refs: 1, mount: m}, nil
}

func (r *Roots) writeImage(ctx context.Context, nodes iter.Seq2[erofs.Node, error], count int64) (*os.File, error) {
	f, err := os.OpenFile(r.o.RootsDir, unix.O_TMPFILE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if _, err := erofs.Write(ctx, f, nodes, erofs.Options{Nodes: count}); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (r *Roots) mountImage(f *os.File) (*mount.Mount, error) {
	if r.method == Loop {
		return mount.ImageByLoop(f)
	}
	return mount.Image(f)
}

// baseDir gives a layer that is a directory, made when nobody made it before.
func (r *Roots) baseDir(ctx context.Context, t tree.Tree, name string) (*layer, error) {
	dir := filepath.Join(r.o.RootsDir, name)
	path := filepath.Join(dir, treeName)
	if c, err := tryClaim(dir, unix.LOCK_SH); err == nil {
		if _, err := os.Lstat(path); err == nil {
			return &layer{refs: 1, dir: path, claim: c}, nil
		}
		c.f.Close()
	}
	c, err := claimEntry(ctx, dir, unix.LOCK_EX)
	if err != nil {
		return nil, err
	}
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		if err := r.fillDir(ctx, t, path); err != nil {
			return nil, errors.Join(err, removeAll(dir), c.release())
		}
	}
	if err := c.share(); err != nil {
		return nil, errors.Join(err, c.release())
	}
	return &layer{refs: 1, dir: path, claim: c}, nil
}

// fillDir writes t beside path, makes it safe on disk, and gives it its name.
func (r *Roots) fillDir(ctx context.Context, t tree.Tree, path string) error {
	temp := path + ".new"
	if err := removeAll(temp); err != nil {
		return err
	}
	if err := os.Mkdir(temp, 0o700); err != nil {
		return err
	}
	w := r.writer(true)
	if err := w.write(ctx, t, temp); err != nil {
		return err
	}
	d, err := os.Open(temp)
	if err != nil {
		return err
	}
	err = unix.Syncfs(int(d.Fd()))
	if err := errors.Join(os.NewSyscallError("syncfs", err), d.Close()); err != nil {
		return err
	}
	return os.Rename(temp, path)
}

// writer gives the writer of a directory for roots; lower says that it will be
// a lower directory of an overlay.
func (r *Roots) writer(lower bool) *dirWriter {
	w := &dirWriter{open: r.openBlob, attrs: attrs{escape: lower}, sparse: true}
	if r.method == Metadata {
		w.redirect = erofs.BlobPath
	}
	return w
}
