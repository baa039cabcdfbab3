package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/inlaybuild/inlay/digest"
)

// References tells what an encoded tree node refers to: other nodes, and blobs.
// It gives an error when the bytes are not a node.
type References func(node []byte) (nodes, blobs []digest.Digest, err error)

// Options say how a store is used.
type Options struct {
	// References decodes the references of a node. It is required: without it
	// neither Commit nor GC could tell what a node needs.
	References References

	// Now gives the time; nil means time.Now.
	Now func() time.Time

	// Wait is how long to wait for another process before giving up with
	// ErrBusy; zero means two minutes.
	Wait time.Duration
}

// Store is an open store. Its methods may be called by several goroutines, and
// any number of processes may have the same directory open.
type Store struct {
	dir      string
	opts     Options
	readOnly bool
	blobs    *os.File // the directory blobs/
	db       *database
	lease    *lease
	gate     *gate
	known    knownNodes
	runs     atomic.Bool // NewRun was called: names of runs are to come

	mu   sync.Mutex
	used map[digest.Digest]time.Time // results read, whose time is not written yet
}

// Open opens the store at dir, and makes one where there is nothing. It takes
// about a millisecond. A directory that holds something else, or a store of an
// unknown version, is refused with [ErrFormat]. Where the directory or its file
// system cannot be written the store is open for reading.
//
// Close the store to give back what it claims: see the package's text on leases.
func Open(ctx context.Context, dir string, opts Options) (*Store, error) {
	if opts.References == nil {
		return nil, errors.New("store: Options.References is required")
	}
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Wait == 0 {
		opts.Wait = 2 * time.Minute
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", err)
	}
	s := &Store{dir: dir, opts: opts, used: map[digest.Digest]time.Time{}}
	if err := s.open(ctx); err != nil {
		return nil, fmt.Errorf("open store %s: %w", dir, errors.Join(err, s.close()))
	}
	return s, nil
}

func (s *Store) open(ctx context.Context) error {
	if err := ensureFormat(ctx, s.dir); err != nil {
		return err
	}
	var err error
	if s.blobs, err = os.Open(s.BlobsDir()); err != nil {
		return err
	}
	if s.gate, err = openGate(filepath.Join(s.dir, "leases"), s.opts.Wait); err != nil {
		return err
	}
	open := func() (err error) {
		s.db, err = openDatabase(ctx, filepath.Join(s.dir, "records.db"), s.opts.Wait)
		return err
	}
	if err = open(); err != nil {
		// SQLite needs some space even to read.
		spent, e := s.spendReserve()
		if e != nil || !spent {
			return err
		}
		if err = open(); err != nil {
			return fmt.Errorf("%w: %w: free some space on the disk of the store", syscall.ENOSPC, err)
		}
	}
	s.readOnly = s.db.readOnly
	s.lease = newLease(filepath.Join(s.dir, "leases"))
	return nil
}

// Dir is the directory of the store.
func (s *Store) Dir() string { return s.dir }

// ReadOnly tells that the store can only be read.
func (s *Store) ReadOnly() bool { return s.readOnly }

// Close writes what was kept back, and ends the leases of this Store.
func (s *Store) Close(ctx context.Context) error {
	var err error
	if !s.readOnly {
		err = s.flushUsed(ctx)
	}
	return errors.Join(err, s.close())
}

func (s *Store) close() error {
	var errs []error
	if s.db != nil {
		errs = append(errs, s.db.close())
	}
	if s.lease != nil {
		errs = append(errs, s.lease.close())
	}
	if s.gate != nil {
		errs = append(errs, s.gate.close())
	}
	if s.blobs != nil {
		errs = append(errs, s.blobs.Close())
	}
	return errors.Join(errs...)
}

func (s *Store) path(elem ...string) string {
	return filepath.Join(append([]string{s.dir}, elem...)...)
}

func (s *Store) writable() error {
	if s.readOnly {
		return fmt.Errorf("%s: %w; use a store that this user may write", s.dir, ErrReadOnly)
	}
	return nil
}
