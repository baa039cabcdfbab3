package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Root is a claimed directory of the cache roots/.
type Root struct {
	f *os.File
}

// Roots is the directory of mountable roots made from trees: a cache, whose
// entries are directories claimed by [Store.LockRoot].
func (s *Store) Roots() string { return s.path("roots") }

// LockRoot makes the directory roots/name if there is none, and claims it: with
// exclusive for the one who fills it, else together with others. It waits while
// somebody claims it otherwise. GC removes those that nobody claims. The caller
// marks in the directory that it is whole, for example by a rename.
func (s *Store) LockRoot(ctx context.Context, name string, exclusive bool) (*Root, error) {
	if err := s.writable(); err != nil {
		return nil, err
	}
	if name == "" || strings.HasPrefix(name, ".") || name != filepath.Base(name) {
		return nil, fmt.Errorf("lock root: %q is not a plain name", name)
	}
	how := unix.LOCK_SH
	if exclusive {
		how = unix.LOCK_EX
	}
	path := filepath.Join(s.Roots(), name)
	for {
		if err := mkdir(path); err != nil {
			return nil, fmt.Errorf("lock root: %w", err)
		}
		f, err := os.Open(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		} else if err != nil {
			return nil, fmt.Errorf("lock root: %w", err)
		}
		if err = flock(ctx, f, how, s.opts.Wait); err == nil {
			var ok bool
			if ok, err = linked(f, path); ok && err == nil {
				return &Root{f}, nil
			}
		}
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, fmt.Errorf("lock root: %w", err)
		}
	}
}

// Path is the directory.
func (r *Root) Path() string { return r.f.Name() }

// Share lets others claim the directory too, after filling it.
func (r *Root) Share() error {
	_, err := tryFlock(r.f, unix.LOCK_SH)
	return err
}

// Close gives up the claim.
func (r *Root) Close() error { return r.f.Close() }
