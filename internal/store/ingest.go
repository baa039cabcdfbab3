package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"

	"github.com/inlaybuild/inlay/digest"
)

// Node is a tree node to be stored: its encoded bytes and their digest.
type Node struct {
	Digest digest.Digest
	Data   []byte
}

// Ingest collects blobs and nodes that become visible together, by Commit. What
// it has written lies in ingest/<owner>/, which is removed when it is aborted,
// and by others when its process dies. It may be used by several goroutines.
type Ingest struct {
	s *Store

	mu    sync.Mutex
	dir   *os.File // its kernel lock says that the owner lives; nil until something is written
	path  string
	count int
	files map[digest.Digest]pending
	seen  bool // a blob of the store is relied on
	nodes []Node
	queue map[digest.Digest]struct{} // digests of nodes
	mark  bool                       // blobs may be visible that are not flushed
	done  bool
	wrote Written

	buffers sync.Pool
}

// Written is what a commit brought into the store that was not there before.
type Written struct {
	Blobs, Nodes Count
}

// Written tells what Commit wrote, once that has returned without an error.
func (in *Ingest) Written() Written {
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.wrote
}

// pending is a written file that is not a blob yet.
type pending struct {
	name string
	size int64
}

// NewIngest begins to write. It does no input or output itself, except to remove
// what dead processes left in ingest/. End it with Commit or Abort.
func (s *Store) NewIngest(ctx context.Context) (*Ingest, error) {
	if err := s.writable(); err != nil {
		return nil, err
	}
	if _, err := s.reclaim(ctx); err != nil {
		return nil, fmt.Errorf("clear ingest: %w", err)
	}
	in := &Ingest{s: s, files: map[digest.Digest]pending{}, queue: map[digest.Digest]struct{}{}}
	in.buffers.New = func() any { b := make([]byte, 0, smallBlob); return &b }
	return in, nil
}

// Nodes queues tree nodes, children and parents in any order. The bytes must
// not be changed afterwards. They are kept in memory until Commit.
func (in *Ingest) Nodes(nodes ...Node) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.done {
		return errEnded
	}
	for _, n := range nodes {
		if _, ok := in.queue[n.Digest]; !ok {
			in.queue[n.Digest] = struct{}{}
			in.nodes = append(in.nodes, n)
		}
	}
	return nil
}

// newFile makes an empty file of its own in the ingest's directory.
func (in *Ingest) newFile() (*os.File, string, error) {
	name, err := in.newName()
	if err != nil {
		return nil, "", err
	}
	f, err := os.OpenFile(filepath.Join(in.path, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o444)
	return f, name, err
}

// newName gives an unused name in the ingest's directory, which it makes first.
func (in *Ingest) newName() (string, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.done {
		return "", errEnded
	}
	if in.dir == nil {
		dir, path, err := makeOwned(func() string { return in.s.path("ingest", newName(16)) }, newDir)
		if err != nil {
			return "", err
		}
		in.dir, in.path = dir, path
	}
	in.count++
	return strconv.Itoa(in.count), nil
}

// known tells whether the blob is there already, or written by this ingest.
func (in *Ingest) known(ctx context.Context, d digest.Digest, size int64) (bool, error) {
	in.mu.Lock()
	_, ok := in.files[d]
	in.mu.Unlock()
	if ok {
		return true, nil
	}
	if err := in.s.gate.enter(ctx); err != nil {
		return false, err
	}
	defer in.s.gate.leave()
	ok, err := in.s.present(d, size)
	if ok {
		in.s.claim(asBlob, d)
		in.mu.Lock()
		in.seen = true
		in.mu.Unlock()
	}
	return ok, err
}

// add takes a finished file; one that came twice is removed.
func (in *Ingest) add(d digest.Digest, p pending) error {
	in.mu.Lock()
	_, twice := in.files[d]
	if !twice && !in.done {
		in.files[d] = p
	}
	done := in.done
	in.mu.Unlock()
	if done {
		return errEnded
	}
	if twice {
		return os.Remove(filepath.Join(in.path, p.name))
	}
	return nil
}

var errEnded = errors.New("store: the ingest has ended")

// Abort removes what was written. It does nothing after Commit or Abort, so it
// can be deferred.
func (in *Ingest) Abort() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.done = true
	in.files, in.nodes, in.queue = nil, nil, nil
	if in.dir == nil {
		return nil
	}
	var err error
	if in.mark {
		// The commit failed halfway. If this fails too, the mark stays for others.
		err = flushAll(in.dir)
	}
	if err == nil {
		err = os.RemoveAll(in.path)
	}
	err = errors.Join(err, in.dir.Close())
	in.dir = nil
	return err
}

// digests of the files, in an order that goes through blobs/ once.
func (in *Ingest) digests() []digest.Digest {
	out := make([]digest.Digest, 0, len(in.files))
	for d := range in.files {
		out = append(out, d)
	}
	slices.SortFunc(out, digest.Digest.Compare)
	return out
}
