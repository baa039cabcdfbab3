package store

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const (
	reserveName = "reserve"
	reserveSize = 8 << 20 // more than the database's log takes while nodes are removed
)

// makeReserve sets space aside, unless there is none: it is made later then.
func makeReserve(dir string) {
	path := filepath.Join(dir, reserveName)
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	if err := errors.Join(allocate(f, reserveSize), f.Close()); err != nil {
		os.Remove(path)
	}
}

// spendReserve gives the space back when the disk is full, and tells whether it
// was: removing nodes takes some first.
func (s *Store) spendReserve() (full bool, err error) {
	var st unix.Statfs_t
	if err := unix.Statfs(s.dir, &st); err != nil {
		return false, &os.PathError{Op: "statfs", Path: s.dir, Err: err}
	}
	if uint64(st.Bavail)*uint64(st.Bsize) >= reserveSize {
		return false, nil
	}
	if err := os.Remove(s.path(reserveName)); !errors.Is(err, os.ErrNotExist) {
		return true, err
	}
	return true, nil
}
