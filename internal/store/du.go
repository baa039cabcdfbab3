package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/ncruces/go-sqlite3"
)

// Count is a number of things and their size in bytes.
type Count struct {
	Number int
	Bytes  int64
}

// Usage says what a store holds.
type Usage struct {
	Blobs       Count
	Nodes       Count
	Results     int
	Refs        int
	Runs        int
	Logs        Count // of runs, with their records
	Ingest      Count // being written, or left by dead processes
	Roots       Count // the cache of mountable roots
	Corrupt     Count // set aside by Fsck
	Database    int64 // bytes of records.db and its log
	Reclaimable int64 // bytes of blobs and nodes that a GC without limits removes
}

// Du says what the store holds. It reads all nodes and lists all blobs.
func (s *Store) Du(ctx context.Context) (Usage, error) {
	u, err := s.du(ctx)
	if err != nil {
		return u, fmt.Errorf("du: %w", err)
	}
	return u, nil
}

func (s *Store) du(ctx context.Context) (u Usage, err error) {
	err = s.view(ctx, func(c *conn) error {
		g, err := s.loadGraph(c, false)
		if err != nil {
			return err
		}
		if _, err := g.survey(c, 0); err != nil {
			return err
		}
		for _, n := range g.nodes {
			u.Nodes.add(n.seq != 0, n.size)
		}
		for _, b := range g.blobs {
			u.Blobs.add(b.size >= 0, b.size)
		}
		u.Reclaimable = u.Nodes.Bytes + u.Blobs.Bytes - g.liveBytes
		for sql, n := range map[string]*int{
			"SELECT count(*) FROM results": &u.Results, "SELECT count(*) FROM refs": &u.Refs,
		} {
			err := c.query(sql, nil, func(st *sqlite3.Stmt) error {
				*n = st.ColumnInt(0)
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	runs, rerr := s.Runs(ctx)
	u.Runs, err = len(runs), errors.Join(err, rerr)
	for name, c := range map[string]*Count{"runs": &u.Logs, "logs": &u.Logs, "ingest": &u.Ingest, "roots": &u.Roots, "corrupt": &u.Corrupt} {
		n, size, uerr := usage(s.path(name))
		c.Number += n
		c.Bytes += size
		err = errors.Join(err, uerr)
	}
	for _, suffix := range []string{"", "-wal"} {
		if info, serr := os.Stat(s.path("records.db" + suffix)); serr == nil {
			u.Database += info.Size()
		}
	}
	return u, err
}

func (c *Count) add(there bool, size int64) {
	if there {
		c.Number++
		c.Bytes += size
	}
}

// usage counts the files below dir; what disappears meanwhile does not count.
func usage(dir string) (n int, size int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			var info fs.FileInfo
			if info, err = e.Info(); err == nil {
				n++
				size += info.Size()
			}
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	return n, size, err
}
