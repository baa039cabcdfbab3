package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"golang.org/x/sys/unix"
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

// CountRuns gives the number of runs, with those that are about to begin, and whatever
// else is in their place.
func (s *Store) CountRuns() (int, error) {
	d, err := os.Open(s.path("runs"))
	if err != nil {
		return 0, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	return len(names), err
}

// dropRuns removes runs beyond the limits, newest kept first, and what is left of others.
// Runs that go on are kept.
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
		size, err := s.recordSize(name)
		if err != nil {
			return n, err
		}
		if size == 0 {
			if err := s.dropIfUnbegun(name); err != nil {
				return n, err
			}
			continue
		}
		if o.KeepLogs > 0 {
			_, logs, err := usage(s.path("logs", name))
			if err != nil {
				return n, err
			}
			size += logs
		}
		if o.KeepRuns < 0 || o.KeepRuns > 0 && kept >= o.KeepRuns || o.KeepLogs < 0 || o.KeepLogs > 0 && bytes+size > o.KeepLogs {
			removed, err := s.dropRun(name)
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
	return n, s.dropLogs()
}

// dropRun removes a run, unless it goes on.
func (s *Store) dropRun(name string) (removed bool, err error) {
	var size int64
	removed, err = removeUnowned(s.recordPath(name), func() (err error) {
		size, err = s.recordSize(name)
		return err
	})
	if err != nil || size == 0 { // who is about to begin it does so, with logs
		return removed, err
	}
	// Without its record nobody finds a run of which logs are missing.
	return removed, os.RemoveAll(s.path("logs", name))
}

// dropLogs removes logs that have no record: who removed it died, or the power failed.
func (s *Store) dropLogs() error {
	list, err := os.ReadDir(s.path("logs"))
	if err != nil {
		return err
	}
	for _, e := range list { // a record is made before them
		if _, err := os.Lstat(s.recordPath(e.Name())); !errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err := os.RemoveAll(s.path("logs", e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// hasBegun tells whether a run has a record that says so.
func (s *Store) hasBegun(name string) (bool, error) {
	f, err := os.OpenFile(s.recordPath(name), os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if isNoRecord(err) {
		return false, nil
	} else if err != nil {
		return false, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return false, err
	}
	first := make([]byte, len(`{"run":`))
	n, err := f.ReadAt(first, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return string(first[:n]) == `{"run":`, err
}

// isNoRecord tells whether an error says that there is no record, or something else in
// its place or in that of the run.
func isNoRecord(err error) bool {
	for _, none := range []error{unix.ENOENT, unix.ENOTDIR, unix.ELOOP, unix.ENXIO} {
		if errors.Is(err, none) {
			return true
		}
	}
	return false
}

// dropUnbegun removes what is left of runs that never began: a process may have died, or
// the power may have failed, before they did.
func (s *Store) dropUnbegun(ctx context.Context) error {
	names, err := s.runNames()
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return err
		}
		begun, err := s.hasBegun(name)
		if err == nil && !begun {
			err = s.dropIfUnbegun(name)
		}
		if err != nil {
			return err
		}
	}
	return err
}

// dropIfUnbegun removes a record that says nothing, unless it is about to, or does since.
func (s *Store) dropIfUnbegun(name string) error {
	errBegun := errors.New("the run has begun")
	_, err := removeUnowned(s.recordPath(name), func() error {
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
