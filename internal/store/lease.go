package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/inlaybuild/inlay/digest"
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
	held map[held]struct{}
}

// held is what is listed and in the store. Half a digest is enough to tell, and
// half the memory.
type held struct {
	half [16]byte
	as   claim
}

// claim says as what a digest is listed. The collector takes it for all of them.
type claim byte

const (
	asAny   claim = iota // it need not be in the store yet
	asBlob               // a blob that is in the store
	asNode               // a node that is in the store, with all below it
	asBelow              // one that a node asNode refers to: there, unless something is damaged
)

func newLease(dir string) *lease {
	return &lease{dir: dir, held: map[held]struct{}{}}
}

func (l *lease) has(d digest.Digest, as claim) bool {
	sum := d.Sum()
	_, ok := l.held[held{[16]byte(sum[:16]), as}]
	return ok
}

// unheld gives those of ds that are not known to be in the store.
func (l *lease) unheld(as claim, ds []digest.Digest) []digest.Digest {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []digest.Digest
	for _, d := range ds {
		if !l.has(d, as) {
			out = append(out, d)
		}
	}
	return out
}

// unheldBelow gives those of ds that are neither held as nodes, nor below one that was
// read. It is enough for what a run names: names that last are looked up, so that they are
// not given to what was damaged.
func (l *lease) unheldBelow(ds []digest.Digest) []digest.Digest {
	return l.unheld(asBelow, l.unheld(asNode, ds))
}

// add lists ds, and remembers as what. The caller is inside the gate.
func (l *lease) add(as claim, ds []digest.Digest) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var buf []byte
	for _, d := range ds {
		if !l.has(d, as) && !d.IsZero() {
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
	if as != asAny {
		l.remember(as, ds)
	}
	return nil
}

// know remembers that the store has ds, which are listed.
func (l *lease) know(as claim, ds []digest.Digest) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.remember(as, ds)
}

func (l *lease) remember(as claim, ds []digest.Digest) {
	for _, d := range ds {
		sum := d.Sum()
		l.held[held{[16]byte(sum[:16]), as}] = struct{}{}
	}
}

func (l *lease) open() error {
	if l.f != nil {
		return nil
	}
	f, path, err := makeOwned(func() string { return filepath.Join(l.dir, newName(16)) }, newFile)
	if err != nil {
		return err
	}
	l.f, l.path = f, path
	return nil
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

// claim writes ds to the lease. The caller is inside the gate. Where that fails,
// because the disk is full or may not be written, the store stays inside the gate
// until it is closed: that protects everything.
func (s *Store) claim(as claim, ds ...digest.Digest) {
	if s.lease.add(as, ds) != nil {
		s.gate.remain()
	}
}

// Unheld gives those trees that this Store has not been shown to be there, nor
// written. The others are held. It costs no look.
func (s *Store) Unheld(trees []digest.Digest) []digest.Digest { return s.lease.unheld(asNode, trees) }

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
