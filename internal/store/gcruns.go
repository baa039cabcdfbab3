package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// TrimRuns removes runs beyond the limits of o, newest kept first, with their
// logs; what only they needed goes with the next GC. It costs a look at each run,
// and at all its files if their size is limited.
func (s *Store) TrimRuns(ctx context.Context, o GCOptions) (n int, err error) {
	if err := s.writable(); err != nil {
		return 0, err
	}
	if n, err = s.dropRuns(ctx, o); err != nil {
		return n, fmt.Errorf("remove old runs: %w", err)
	}
	return n, nil
}

// CountRuns gives the number of runs, with those that are about to begin.
func (s *Store) CountRuns() (int, error) {
	names, err := s.runNames()
	return len(names), err
}

// dropRuns removes runs beyond the limits, newest kept first, and what is left of
// runs that never began. Runs that go on are kept.
func (s *Store) dropRuns(ctx context.Context, o GCOptions) (n int, err error) {
	names, err := s.runNames()
	if err != nil {
		return 0, err
	}
	var bytes int64
	kept := 0
	for _, name := range slices.Backward(names) {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		begun, err := s.hasBegun(name)
		if err == nil && !begun {
			err = s.dropUnbegun(name)
		}
		if err != nil {
			return n, err
		}
		if !begun {
			continue
		}
		size := int64(0)
		if o.KeepLogs > 0 {
			if _, size, err = usage(s.path("logs", name)); err != nil {
				return n, err
			}
		}
		if o.KeepRuns < 0 || o.KeepRuns > 0 && kept >= o.KeepRuns || o.KeepLogs < 0 || o.KeepLogs > 0 && bytes+size > o.KeepLogs {
			// Without its record nobody finds a run of which logs are missing.
			removed, err := removeUnowned(s.path("logs", name), func() error { return os.Remove(s.recordPath(name)) })
			if err != nil {
				return n, err
			}
			if removed {
				n++
				continue
			}
		}
		kept++
		bytes += size
	}
	return n, nil
}

// hasBegun tells whether a run has a record that says so: a process may have died, or the
// power may have failed, before it did.
func (s *Store) hasBegun(name string) (bool, error) {
	size, err := s.recordSize(name)
	if size == 0 || err != nil {
		return false, err
	}
	f, err := os.Open(s.recordPath(name))
	if err != nil {
		return false, notThere(err)
	}
	defer f.Close()
	first := make([]byte, len(`{"run":`))
	n, err := f.ReadAt(first, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return string(first[:n]) == `{"run":`, err
}

// notThere is no error where something was removed meanwhile.
func notThere(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// dropUnbegun removes what has no record, unless it is about to have one, or has one
// since.
func (s *Store) dropUnbegun(name string) error {
	errBegun := errors.New("the run has begun")
	_, err := removeUnowned(s.path("logs", name), func() error {
		begun, err := s.hasBegun(name)
		if begun {
			return errBegun
		}
		return err
	})
	if errors.Is(err, errBegun) {
		return nil
	}
	return err
}
