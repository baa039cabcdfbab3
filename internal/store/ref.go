package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// Ref is a name and what it stands for.
type Ref struct {
	Name string
	Time time.Time // when it was set
	Record
}

// Ref gives what a name stands for, and claims it. The error of an unknown name
// is a [MissingError]. What a ref names may be damaged: [Store.Complete] tells.
func (s *Store) Ref(ctx context.Context, name string) (Ref, error) {
	var out *Ref
	err := s.look(ctx, func(c *conn) error {
		return s.refs(c, "SELECT name, time, trees, blobs, data FROM refs WHERE name = ?",
			func(st *sqlite3.Stmt) error { return st.BindText(1, name) },
			func(r Ref) { out = &r })
	})
	if err != nil {
		return Ref{}, fmt.Errorf("read ref %q: %w", name, err)
	}
	if out == nil {
		return Ref{}, &MissingError{Kind: KindRef, Name: name}
	}
	return *out, nil
}

// Refs gives all refs by name, and claims them.
func (s *Store) Refs(ctx context.Context) ([]Ref, error) {
	var out []Ref
	err := s.look(ctx, func(c *conn) error {
		return s.refs(c, "SELECT name, time, trees, blobs, data FROM refs ORDER BY name", nil,
			func(r Ref) { out = append(out, r) })
	})
	if err != nil {
		return nil, fmt.Errorf("read refs: %w", err)
	}
	return out, nil
}

func (s *Store) refs(c *conn, sql string, bind func(*sqlite3.Stmt) error, yield func(Ref)) error {
	return c.query(sql, bind, func(st *sqlite3.Stmt) error {
		r, err := scanRecord(st, 2)
		if err != nil {
			return err
		}
		s.claim(asAny, r.Trees...)
		s.claim(asAny, r.Blobs...)
		yield(Ref{Name: st.ColumnText(0), Time: time.Unix(0, st.ColumnInt64(1)), Record: r})
		return nil
	})
}

// SetRef makes a name stand for what is in the store already. To name what is
// being written, give the ref to [Ingest.Commit].
func (s *Store) SetRef(ctx context.Context, name string, r Record) error {
	return s.Commit(ctx, Changes{Refs: map[string]Record{name: r}})
}

// DeleteRef forgets a name. The error of an unknown one is a [MissingError].
func (s *Store) DeleteRef(ctx context.Context, name string) error {
	if err := s.writable(); err != nil {
		return err
	}
	return s.db.write(ctx, true, func(c *conn) error {
		err := c.query("DELETE FROM refs WHERE name = ?", func(st *sqlite3.Stmt) error { return st.BindText(1, name) }, nil)
		if err == nil && c.Changes() == 0 {
			err = &MissingError{Kind: KindRef, Name: name}
		}
		return err
	})
}

func (c *conn) putRef(name string, r Record, now time.Time) error {
	return c.query("INSERT OR REPLACE INTO refs (name, time, trees, blobs, data) VALUES (?, ?, ?, ?, ?)",
		func(st *sqlite3.Stmt) error {
			return errors.Join(st.BindText(1, name), st.BindInt64(2, now.UnixNano()), bindRecord(st, 3, r))
		}, nil)
}
