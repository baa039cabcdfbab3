//go:build !linux

package store

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const flushEach = 64

func flushFiles(dir *os.File, names []string) error {
	for _, n := range names {
		f, err := os.Open(filepath.Join(dir.Name(), n))
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// flushAll flushes what the system has. There is no call for one file system.
func flushAll(dir *os.File) error {
	unix.Sync()
	return dir.Sync()
}

func renameNew(from *os.File, old string, to *os.File, name string) error {
	if err := unix.Renameat(int(from.Fd()), old, int(to.Fd()), name); err != nil {
		return &os.LinkError{Op: "rename", Old: old, New: name, Err: err}
	}
	return nil
}

// allocate gives an empty file size bytes of space.
func allocate(f *os.File, size int64) error {
	_, err := f.Write(make([]byte, size))
	return err
}
