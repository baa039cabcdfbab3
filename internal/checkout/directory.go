//go:build linux

package checkout

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sys/unix"
)

// OpenBlob opens the bytes that a digest names.
type OpenBlob func(ctx context.Context, d digest.Digest) (io.ReadCloser, error)

// Existing says what is done with a destination that is not empty.
type Existing uint8

// What is done with a destination that is not empty.
const (
	// Refuse is [ErrNotEmpty].
	Refuse Existing = iota
	// Merge writes into it: the tree's entries replace those of the same name,
	// other entries stay. A symlink is replaced, never followed. A directory is
	// not replaced by something else: that is an error. After an error part of
	// the tree is there.
	Merge
	// Replace takes away what was there, once the tree is whole beside it.
	Replace
)

// ErrNotEmpty is the error of a destination that holds something.
var ErrNotEmpty = errors.New("the directory is not empty")

// DirectoryOptions says how a tree is written to a directory.
type DirectoryOptions struct {
	// Existing says what is done with a destination that is not empty.
	Existing Existing
	// NoOwner leaves owners out: all belongs to the user. It lets a user who is
	// not root write a tree.
	NoOwner bool
	// ClampTimes takes the nearest time where the file system cannot keep one
	// (ext4: before 1901 and after 2446), which is otherwise [ErrTime].
	ClampTimes bool
	// Sparse leaves holes where a file has blocks of zeros.
	Sparse bool
	// Workers is how many files are written at once. Zero stands for 4.
	Workers int
	// Progress is called now and then, by one goroutine at a time.
	Progress func(Progress)
}

// Progress is what was written so far.
type Progress struct {
	Entries int64 // of all kinds
	Bytes   int64 // of content
}

// ToDirectory writes t to dir: content, mode, owner, mtime, xattrs, devices and
// hardlinks. The parent of dir must exist. If dir does not exist or is empty,
// the tree is built beside it and renamed at the end, so it is there whole or
// not at all. Symlinks in t are made and never followed.
//
// Errors name the path in the tree. What the file system or the user's rights
// do not allow is an error and never left out, but for what the options say.
func ToDirectory(ctx context.Context, t tree.Tree, dir string, open OpenBlob, o DirectoryOptions) error {
	dir, empty, err := destination(dir)
	if err != nil {
		return err
	}
	w := &dirWriter{open: open, attrs: attrs{noOwner: o.NoOwner, clamp: o.ClampTimes}, sparse: o.Sparse, workers: o.Workers, progress: o.Progress}
	if !empty && o.Existing == Merge {
		w.merge = true
		return w.write(ctx, t, dir)
	}
	if !empty && o.Existing != Replace {
		return &os.PathError{Op: "checkout", Path: dir, Err: fmt.Errorf("%w: name another one, or say whether to merge into it or to replace it", ErrNotEmpty)}
	}
	random := make([]byte, 8)
	if _, err := rand.Read(random); err != nil {
		return err
	}
	beside := filepath.Join(filepath.Dir(dir), "."+firstBytes(filepath.Base(dir), 200)+".inlay-"+hex.EncodeToString(random))
	if err := os.Mkdir(beside, 0o700); err != nil {
		return err
	}
	if err := w.write(ctx, t, beside); err != nil {
		return errors.Join(err, removeAll(beside))
	}
	if empty {
		err := unix.Rename(beside, dir)
		if err == nil {
			return nil
		}
		if err := removeAll(beside); err != nil {
			return err
		}
		if !errors.Is(err, unix.EBUSY) && !errors.Is(err, unix.EXDEV) {
			return &os.PathError{Op: "rename", Path: dir, Err: err}
		}
		return w.inMount(ctx, t, dir)
	}
	if err := unix.Renameat2(unix.AT_FDCWD, beside, unix.AT_FDCWD, dir, unix.RENAME_EXCHANGE); err != nil {
		return errors.Join(&os.PathError{Op: "replace", Path: dir, Err: err}, removeAll(beside))
	}
	return removeAll(beside)
}

// inMount writes into an empty directory that something is mounted at: nothing
// can be renamed to it.
func (w *dirWriter) inMount(ctx context.Context, t tree.Tree, dir string) error {
	w.done = Progress{}
	err := w.write(ctx, t, dir)
	if err == nil {
		return nil
	}
	d, openErr := os.Open(dir)
	if openErr != nil {
		return errors.Join(err, openErr)
	}
	return errors.Join(err, removeBelow(d), d.Close())
}

// destination gives the path of the destination without a symlink at its end,
// and whether nothing is there.
func destination(dir string) (string, bool, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", false, err
	}
	if real, err := filepath.EvalSymlinks(dir); err == nil {
		dir = real
	} else if _, err := os.Lstat(dir); err == nil {
		return "", false, &os.PathError{Op: "checkout", Path: dir, Err: fmt.Errorf("a symlink to nowhere: %w", fs.ErrExist)}
	}
	list, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return dir, true, nil
	}
	if err != nil {
		return "", false, err
	}
	defer list.Close()
	_, err = list.Readdirnames(1)
	if errors.Is(err, io.EOF) {
		return dir, true, nil
	}
	return dir, false, err
}

func firstBytes(s string, n int) string {
	return s[:min(n, len(s))]
}
