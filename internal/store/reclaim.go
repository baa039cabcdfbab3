package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// reclaim removes what dead processes were writing.
func (s *Store) reclaim(ctx context.Context) (n int, err error) {
	list, err := os.ReadDir(s.path("ingest"))
	if err != nil {
		return 0, err
	}
	for _, e := range list {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		p := s.path("ingest", e.Name())
		ok, err := removeUnowned(p, func() error {
			if unix.Access(filepath.Join(p, renaming), unix.F_OK) == nil {
				return flushAll(s.blobs) // what it renamed is relied on without that
			}
			return nil
		})
		if err != nil {
			return n, err
		}
		if ok {
			n++
		}
	}
	return n, nil
}

// removeUnowned removes a file or directory whose lock is free, after before.
// Only one process does it: it holds the lock meanwhile.
func removeUnowned(path string, before func() error) (removed bool, err error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	defer f.Close()
	if ok, err := tryFlock(f, unix.LOCK_EX); !ok || err != nil {
		return false, err
	}
	if ok, err := linked(f, path); !ok || err != nil {
		return false, err
	}
	if before != nil {
		if err := before(); err != nil {
			return false, err
		}
	}
	return true, os.RemoveAll(path)
}

// dropLeases removes the leases of dead processes.
func (s *Store) dropLeases() error {
	list, err := s.leaseNames()
	for _, n := range list {
		if _, rerr := removeUnowned(s.path("leases", n), nil); rerr != nil {
			err = errors.Join(err, rerr)
		}
	}
	return err
}

func (s *Store) leaseNames() ([]string, error) {
	list, err := os.ReadDir(s.path("leases"))
	var out []string
	for _, e := range list {
		if !strings.HasPrefix(e.Name(), ".") {
			out = append(out, e.Name())
		}
	}
	return out, err
}
