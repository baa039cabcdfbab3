package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/inlaybuild/inlay/digest"
	"golang.org/x/sys/unix"
)

// lease is a file leases/<owner> that lists, as plain digests of 32 bytes, what
// an open Store has been shown or has made. It counts while its lock is held.
// It needs no flushing: after a power cut nobody holds it.
type lease struct {
	dir string

	mu   sync.Mutex
	f    *os.File
	path string
	size int64
	held map[[16]byte]struct{} // listed, and in the store: half a digest is enough to tell, and half the memory
}

func newLease(dir string) *lease {
	return &lease{dir: dir, held: map[[16]byte]struct{}{}}
}

func half(d digest.Digest) [16]byte {
	sum := d.Sum()
	return [16]byte(sum[:16])
}

// unheld gives those of ds that are not known to be in the store.
func (l *lease) unheld(ds []digest.Digest) []digest.Digest {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []digest.Digest
	for _, d := range ds {
		if _, ok := l.held[half(d)]; !ok {
			out = append(out, d)
		}
	}
	return out
}

// add lists ds, and remembers those that the store is known to have. The caller
// is inside the gate.
func (l *lease) add(known bool, ds ...digest.Digest) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var buf []byte
	for _, d := range ds {
		if _, ok := l.held[half(d)]; !ok && !d.IsZero() {
			buf = d.Append(buf)
		}
	}
	if len(buf) == 0 {
		return nil
	}
	err := l.open()
	if err == nil {
		_, err = l.f.WriteAt(buf, l.size) // after a failure the next write overwrites
	}
	if err != nil {
		return fmt.Errorf("write lease: %w", err)
	}
	l.size += int64(len(buf))
	if known {
		l.remember(ds)
	}
	return nil
}

// know remembers that the store has ds, which are listed.
func (l *lease) know(ds ...digest.Digest) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.remember(ds)
}

func (l *lease) remember(ds []digest.Digest) {
	for _, d := range ds {
		l.held[half(d)] = struct{}{}
	}
}

func (l *lease) open() error {
	if l.f != nil {
		return nil
	}
	for range 100 {
		path := filepath.Join(l.dir, rand.Text()[:16])
		f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
		if errors.Is(err, os.ErrExist) {
			continue
		} else if err != nil {
			return err
		}
		ok, err := tryFlock(f, unix.LOCK_EX)
		if ok && err == nil {
			if ok, err = linked(f, path); ok && err == nil {
				l.f, l.path = f, path
				return nil
			}
		}
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return fmt.Errorf("no new lease after 100 attempts: %w", ErrBusy)
}

func (l *lease) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.f == nil {
		return nil
	}
	err := errors.Join(os.Remove(l.path), l.f.Close())
	l.f = nil
	return err
}

// hold claims what the store was seen to have. The caller is inside the gate.
func (s *Store) hold(ds ...digest.Digest) { s.claim(true, ds) }

// claim writes ds to the lease. Where that fails, because the disk is full or
// may not be written, the store stays inside the gate until it is closed: that
// protects everything.
func (s *Store) claim(known bool, ds []digest.Digest) {
	if s.lease.add(known, ds...) != nil {
		s.gate.remain()
	}
}

// Hold claims trees and blobs by digest, as reading them does, and gives those
// that the store does not have. What is held is not collected until the Store
// is closed; with a tree, all that it refers to.
func (s *Store) Hold(ctx context.Context, trees, blobs []digest.Digest) (missing []digest.Digest, err error) {
	a, err := s.MissingNodes(ctx, trees)
	if err != nil {
		return nil, err
	}
	b, err := s.Missing(ctx, blobs)
	return append(a, b...), err
}
