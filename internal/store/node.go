package store

import (
	"context"
	"fmt"

	"github.com/inlaybuild/inlay/digest"
	"github.com/ncruces/go-sqlite3"
)

// Node gives the bytes of a tree node, verified, and claims it with all that it
// refers to. The error of one that the store has not, or only in a damaged
// form, is a [MissingError]. It costs about 20 microseconds.
func (s *Store) Node(ctx context.Context, d digest.Digest) ([]byte, error) {
	list, err := s.Nodes(ctx, []digest.Digest{d})
	if err != nil {
		return nil, err
	}
	return list[0], nil
}

// batch is how many rows are looked up in one stay inside the gate.
const batch = 256

// Nodes gives the bytes of many tree nodes, in the order of ds, as [Store.Node]
// gives those of one.
func (s *Store) Nodes(ctx context.Context, ds []digest.Digest) ([][]byte, error) {
	out := make([][]byte, 0, len(ds))
	for len(ds) > 0 {
		n := min(len(ds), batch)
		err := s.lookOften(ctx, n, func(c *conn) error {
			for _, d := range ds[:n] {
				data, whole, err := c.node(d)
				if err != nil {
					return err
				}
				out = append(out, data)
				s.claimNode(d, data, whole)
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("read nodes: %w", err)
		}
		ds = ds[n:]
	}
	return out, nil
}

// claimNode claims a node that was read. With a whole one all below it is there, and held:
// a run that names what it refers to need not look.
func (s *Store) claimNode(d digest.Digest, data []byte, whole bool) {
	if !whole {
		s.claim(asAny, d)
		return
	}
	s.claim(asNode, d)
	if !s.runs.Load() { // to find what it refers to takes about as long as to read it
		return
	}
	if sub, _, err := s.opts.References(data); err == nil {
		s.lease.know(asBelow, sub)
	}
}

// look calls f inside the gate, with a connection.
func (s *Store) look(ctx context.Context, f func(*conn) error) error {
	return s.lookOften(ctx, 1, f)
}

// lookOften is look for an f that makes some number of queries. SQLite takes locks for
// each, which takes longer than the query, unless they are one transaction.
func (s *Store) lookOften(ctx context.Context, queries int, f func(*conn) error) error {
	if err := s.gate.enter(ctx); err != nil {
		return err
	}
	defer s.gate.leave()
	if queries > 2 {
		return s.db.read(ctx, f)
	}
	return s.db.one(ctx, f)
}

// node gives the verified bytes of a node, and whether all below it is there.
func (c *conn) node(d digest.Digest) (data []byte, whole bool, err error) {
	err = c.query("SELECT data, broken FROM nodes WHERE digest = ?", bindDigest(d), func(st *sqlite3.Stmt) error {
		data = st.ColumnBlob(0, []byte{})
		whole = st.ColumnInt(1) == 0
		return nil
	})
	if err != nil {
		return nil, false, err
	}
	if data == nil || digest.Of(data) != d {
		return nil, false, &MissingError{Kind: KindNode, Digest: d}
	}
	return data, whole, nil
}

// MissingNodes gives those of ds, in their order, that the store has no node
// of, and claims the others. A node that it gives not is there with all that it
// refers to: Commit and GC see to that, and Fsck after damage.
func (s *Store) MissingNodes(ctx context.Context, ds []digest.Digest) ([]digest.Digest, error) {
	var missing []digest.Digest
	for len(ds) > 0 {
		n := min(len(ds), batch)
		err := s.lookOften(ctx, n, func(c *conn) error {
			m, err := s.missingNodes(c, ds[:n])
			missing = append(missing, m...)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("look for nodes: %w", err)
		}
		ds = ds[n:]
	}
	return missing, nil
}

// missingNodes is MissingNodes for a caller inside the gate.
func (s *Store) missingNodes(c *conn, ds []digest.Digest) (missing []digest.Digest, err error) {
	var found []digest.Digest
	for _, d := range ds {
		switch ok, err := c.whole(d); {
		case err != nil:
			return nil, err
		case ok:
			found = append(found, d)
		default:
			missing = append(missing, d)
		}
	}
	s.claim(asNode, found...)
	return missing, nil
}

// whole tells whether a node is there, and Fsck did not find that something
// below it is gone.
func (c *conn) whole(d digest.Digest) (ok bool, err error) {
	err = c.query("SELECT 1 FROM nodes WHERE digest = ? AND broken = 0", bindDigest(d), func(*sqlite3.Stmt) error {
		ok = true
		return nil
	})
	return ok, err
}

func (c *conn) putNode(d digest.Digest, data []byte) (put bool, err error) {
	err = c.query("INSERT INTO nodes (digest, data) VALUES (?, ?)"+
		" ON CONFLICT (digest) DO UPDATE SET broken = 0, data = excluded.data WHERE broken = 1",
		func(st *sqlite3.Stmt) error {
			if err := bindDigest(d)(st); err != nil {
				return err
			}
			return st.BindBlob(2, data)
		}, nil)
	return err == nil && c.Changes() > 0, err
}

func bindDigest(d digest.Digest) func(*sqlite3.Stmt) error {
	return func(st *sqlite3.Stmt) error {
		sum := d.Sum()
		return st.BindBlob(1, sum[:])
	}
}
