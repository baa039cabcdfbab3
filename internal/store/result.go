package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/inlaybuild/inlay/digest"
	"github.com/ncruces/go-sqlite3"
)

// fresh is how exact the time of a result's last use is kept: a newer use is
// not written again.
const fresh = time.Hour

// Result gives the record of an action key. One whose roots are no longer in
// the store is not there. What it names is claimed. It costs about 50
// microseconds.
func (s *Store) Result(ctx context.Context, key digest.Digest) (r Record, ok bool, err error) {
	m, err := s.Results(ctx, []digest.Digest{key})
	if err != nil {
		return Record{}, false, err
	}
	r, ok = m[key]
	return r, ok, nil
}

// Results gives the records of those keys that have one, as [Store.Result].
func (s *Store) Results(ctx context.Context, keys []digest.Digest) (map[digest.Digest]Record, error) {
	out := map[digest.Digest]Record{}
	for len(keys) > 0 {
		n := min(len(keys), batch)
		err := s.look(ctx, func(c *conn) error {
			for _, key := range keys[:n] {
				r, ok, err := s.result(c, key)
				if err != nil {
					return fmt.Errorf("read result %s: %w", key, err)
				}
				if ok {
					out[key] = r
				}
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		keys = keys[n:]
	}
	return out, nil
}

func (s *Store) result(c *conn, key digest.Digest) (r Record, ok bool, err error) {
	var used int64
	err = c.query("SELECT used, trees, blobs, data FROM results WHERE key = ?", bindDigest(key),
		func(st *sqlite3.Stmt) (err error) {
			ok = true
			used = st.ColumnInt64(0)
			r, err = scanRecord(st, 1)
			return err
		})
	if !ok || err != nil {
		return Record{}, false, err
	}
	if ok, err = s.complete(c, r); !ok || err != nil {
		return Record{}, false, err
	}
	if now := s.opts.Now(); now.Sub(time.Unix(0, used)) > fresh {
		s.mu.Lock()
		s.used[key] = now
		s.mu.Unlock()
	}
	return r, true, nil
}

// DeleteResults forgets results, for example those whose blobs turned out to be
// damaged.
func (s *Store) DeleteResults(ctx context.Context, keys ...digest.Digest) error {
	if err := s.writable(); err != nil {
		return err
	}
	return s.db.write(ctx, true, func(c *conn) error {
		for _, k := range keys {
			if err := c.query("DELETE FROM results WHERE key = ?", bindDigest(k), nil); err != nil {
				return err
			}
		}
		return nil
	})
}

func (c *conn) putResult(key digest.Digest, r Record, now time.Time) error {
	return c.query("INSERT OR REPLACE INTO results (key, used, trees, blobs, data) VALUES (?, ?, ?, ?, ?)",
		func(st *sqlite3.Stmt) error {
			return errors.Join(bindDigest(key)(st), st.BindInt64(2, now.UnixNano()), bindRecord(st, 3, r))
		}, nil)
}

// flushUsed writes the times of last use that were kept back.
func (s *Store) flushUsed(ctx context.Context) error {
	s.mu.Lock()
	n := len(s.used)
	s.mu.Unlock()
	if n == 0 {
		return nil
	}
	return s.db.write(ctx, false, s.putUsed)
}

func (s *Store) putUsed(c *conn) error {
	s.mu.Lock()
	used := s.used
	s.used = map[digest.Digest]time.Time{}
	s.mu.Unlock()
	for key, t := range used {
		err := c.query("UPDATE results SET used = ?2 WHERE key = ?1 AND used < ?2", func(st *sqlite3.Stmt) error {
			return errors.Join(bindDigest(key)(st), st.BindInt64(2, t.UnixNano()))
		}, nil)
		if err != nil {
			return err
		}
	}
	return nil
}
