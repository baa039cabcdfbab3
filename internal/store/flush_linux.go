package store

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// flushEach is how many files are flushed one by one, which does not wait for
// what other programs wrote; more are flushed with the whole file system.
const flushEach = 64

// flushFiles brings the files of a directory to the disk: all are started first,
// then each is waited for.
func flushFiles(dir *os.File, names []string) error {
	if len(names) > flushEach {
		return flushAll(dir)
	}
	var errs []error
	files := make([]*os.File, 0, len(names))
	for _, n := range names {
		f, err := os.Open(filepath.Join(dir.Name(), n))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		files = append(files, f)
		// Only a start: Sync below tells about errors.
		unix.SyncFileRange(int(f.Fd()), 0, 0, unix.SYNC_FILE_RANGE_WRITE)
	}
	errs = append(errs, syncAll(files))
	return errors.Join(errs...)
}

// flushAll flushes the file system that dir is on.
func flushAll(dir *os.File) error {
	if err := unix.Syncfs(int(dir.Fd())); err != nil {
		return &os.PathError{Op: "syncfs", Path: dir.Name(), Err: err}
	}
	return nil
}

// renameNew renames without replacing; the error is fs.ErrExist when the new
// name is taken.
func renameNew(from *os.File, old string, to *os.File, name string) error {
	err := unix.Renameat2(int(from.Fd()), old, int(to.Fd()), name, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		// A file system without the flag. Replacing a blob by an equal one is
		// only a waste.
		err = unix.Renameat(int(from.Fd()), old, int(to.Fd()), name)
	}
	if err != nil {
		return &os.LinkError{Op: "rename", Old: old, New: name, Err: err}
	}
	return nil
}

// allocate gives an empty file size bytes of space.
func allocate(f *os.File, size int64) error {
	if err := unix.Fallocate(int(f.Fd()), 0, 0, size); err != nil {
		return &os.PathError{Op: "fallocate", Path: f.Name(), Err: err}
	}
	return nil
}
