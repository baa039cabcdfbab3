package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/inlaybuild/inlay/digest"
	"github.com/ncruces/go-sqlite3"
)

// Record is what a result or a ref says: roots in the store, which are kept
// with all that they refer to, and a small body whose meaning is the caller's.
type Record struct {
	Trees []digest.Digest // nodes
	Blobs []digest.Digest
	Data  []byte
}

func packDigests(ds []digest.Digest) []byte {
	b := make([]byte, 0, len(ds)*digest.Size)
	for _, d := range ds {
		b = d.Append(b)
	}
	return b
}

func unpackDigests(b []byte) ([]digest.Digest, error) {
	if len(b)%digest.Size != 0 {
		return nil, fmt.Errorf("%d bytes are not a list of digests", len(b))
	}
	var ds []digest.Digest
	for ; len(b) > 0; b = b[digest.Size:] {
		d, err := digest.FromSum(b[:digest.Size])
		if err != nil {
			return nil, err
		}
		ds = append(ds, d)
	}
	return ds, nil
}

// bindRecord binds the columns trees, blobs and data from the parameter at on.
func bindRecord(st *sqlite3.Stmt, at int, r Record) error {
	data := r.Data
	if data == nil {
		data = []byte{}
	}
	return errors.Join(st.BindBlob(at, packDigests(r.Trees)), st.BindBlob(at+1, packDigests(r.Blobs)), st.BindBlob(at+2, data))
}

// scanRecord reads the columns trees, blobs and data from the column at on.
func scanRecord(st *sqlite3.Stmt, at int) (r Record, err error) {
	if r.Trees, err = unpackDigests(st.ColumnRawBlob(at)); err != nil {
		return r, err
	}
	if r.Blobs, err = unpackDigests(st.ColumnRawBlob(at + 1)); err != nil {
		return r, err
	}
	r.Data = st.ColumnBlob(at+2, nil)
	return r, nil
}

// Complete tells whether all that r names is there, and claims it. It looks at
// the roots alone, which is enough: a node is in the store only together with
// all that it refers to (see the package's text).
func (s *Store) Complete(ctx context.Context, r Record) (ok bool, err error) {
	err = s.look(ctx, func(c *conn) error {
		ok, err = s.complete(c, r)
		return err
	})
	return ok, err
}

// complete is Complete for a caller inside the gate.
func (s *Store) complete(c *conn, r Record) (bool, error) {
	for _, d := range r.Blobs {
		if ok, err := s.present(d, -1); !ok || err != nil {
			return false, err
		}
	}
	for _, d := range r.Trees {
		if ok, err := c.whole(d); !ok || err != nil {
			return false, err
		}
	}
	s.claim(asNode, r.Trees...)
	s.claim(asBlob, r.Blobs...)
	return true, nil
}
