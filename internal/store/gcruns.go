package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/ncruces/go-sqlite3"
)

// TrimRuns removes runs beyond the limits of o, newest kept first, with their
// logs; what only they needed goes with the next GC. It costs a look at each run,
// and at the files of its logs if their size is limited.
func (s *Store) TrimRuns(ctx context.Context, o GCOptions) (n int, err error) {
	if err := s.writable(); err != nil {
		return 0, err
	}
	if n, err = s.dropRuns(ctx, o); err != nil {
		return n, fmt.Errorf("remove old runs: %w", err)
	}
	return n, nil
}

// CountRuns gives the number of runs.
func (s *Store) CountRuns(ctx context.Context) (n int, err error) {
	err = s.db.one(ctx, func(c *conn) error {
		return c.query("SELECT count(*) FROM runs", nil, func(st *sqlite3.Stmt) error {
			n = st.ColumnInt(0)
			return nil
		})
	})
	return n, err
}

// dropRuns removes runs beyond the limits, newest kept first, and directories of
// logs that no run has. Runs that go on are kept.
func (s *Store) dropRuns(ctx context.Context, o GCOptions) (n int, err error) {
	runs, err := s.Runs(ctx)
	if err != nil {
		return 0, err
	}
	known := map[string]bool{}
	var old []string
	var bytes int64
	kept := 0
	for i := len(runs) - 1; i >= 0; i-- {
		run := runs[i]
		size := int64(0)
		if o.KeepLogs > 0 {
			if _, size, err = usage(s.path("logs", run.Name)); err != nil {
				return n, err
			}
		}
		over := o.KeepRuns < 0 || o.KeepRuns > 0 && kept >= o.KeepRuns ||
			o.KeepLogs < 0 || o.KeepLogs > 0 && bytes+size > o.KeepLogs
		if over && run.State != Running {
			old = append(old, run.Name)
			continue
		}
		known[run.Name] = true
		kept++
		bytes += size
	}
	if n, err = s.deleteRuns(ctx, old); err != nil {
		return n, err
	}
	list, err := os.ReadDir(s.path("logs"))
	if err != nil {
		return n, err
	}
	for _, e := range list {
		if known[e.Name()] {
			continue
		}
		// A run that began since is locked, and its row comes behind the lock.
		if err := s.dropLogs(ctx, e.Name()); err != nil {
			return n, err
		}
	}
	return n, nil
}

// deleteRuns removes runs from the database, some at a time, and tells how many.
func (s *Store) deleteRuns(ctx context.Context, names []string) (n int, err error) {
	const some = 16
	for part := range slices.Chunk(names, some) {
		err := s.db.write(ctx, false, func(c *conn) error {
			for _, name := range part {
				bind := func(st *sqlite3.Stmt) error { return st.BindText(1, name) }
				err := errors.Join(c.query("DELETE FROM steps WHERE run = ?", bind, nil),
					c.query("DELETE FROM runs WHERE run = ?", bind, nil))
				if err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return n, err
		}
		n += len(part)
	}
	return n, nil
}

// dropLogs removes the logs of a run that is neither known nor going on. It may
// have come and ended since the runs were listed: then they stay.
func (s *Store) dropLogs(ctx context.Context, name string) error {
	errKnown := errors.New("run is known")
	_, err := removeUnowned(s.path("logs", name), func() error {
		return s.db.one(ctx, func(c *conn) error {
			return c.query("SELECT 1 FROM runs WHERE run = ?",
				func(st *sqlite3.Stmt) error { return st.BindText(1, name) },
				func(*sqlite3.Stmt) error { return errKnown })
		})
	})
	if errors.Is(err, errKnown) {
		return nil
	}
	return err
}
