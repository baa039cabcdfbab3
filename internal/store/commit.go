package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/inlaybuild/inlay/digest"
	"golang.org/x/sys/unix"
)

// Changes are what a commit writes beside blobs and nodes.
type Changes struct {
	Results map[digest.Digest]Record // by action key; an old value is replaced
	Refs    map[string]Record        // by name; an old value is replaced
	Run     *RunChanges              // nil if it has to do with no run

	// Loose says that nodes need not be on the disk when Commit returns: a power
	// cut may take them, but not before any other nodes, results or refs that are
	// committed later.
	Loose bool
}

// Commit writes results and refs that name only what is in the store already.
func (s *Store) Commit(ctx context.Context, ch Changes) error {
	if err := s.writable(); err != nil {
		return err
	}
	in := &Ingest{s: s, seen: len(ch.Results)+len(ch.Refs) > 0}
	return in.Commit(ctx, ch)
}

// Commit makes everything visible that was written, with results and refs that
// name it, and ends the ingest. When it returns without an error all of it is on
// the disk; when it fails, nothing has a name, but where only the steps of a run could
// not be written, which come last. What a node or a record names
// must be in the ingest or in the store: else the error is [ErrIncomplete], or
// the References' own error.
func (in *Ingest) Commit(ctx context.Context, ch Changes) error {
	err := in.commit(ctx, ch)
	if err != nil {
		err = fmt.Errorf("commit: %w", err)
	}
	return errors.Join(err, in.Abort())
}

func (in *Ingest) commit(ctx context.Context, ch Changes) error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.done {
		return errEnded
	}
	s := in.s
	blobs := in.digests()
	nodes := make([]digest.Digest, len(in.nodes))
	for i, n := range in.nodes {
		nodes[i] = n.Digest
	}
	if err := in.flush(blobs); err != nil {
		return err
	}
	if err := in.complete(ctx, ch); err != nil {
		return err
	}
	// From here on the collector knows what is new.
	if len(blobs)+len(nodes) > 0 {
		if err := s.gate.enter(ctx); err != nil {
			return err
		}
		s.claim(asAny, blobs...)
		s.claim(asAny, nodes...)
		s.gate.leave()
	}
	if err := in.place(blobs); err != nil {
		return err
	}
	if err := in.write(ctx, ch); err != nil {
		return err
	}
	s.lease.know(asBlob, blobs)
	s.lease.know(asNode, nodes)
	return nil
}

// write carries out the transaction that gives names, if there is anything to name,
// and then writes what names trees in a run.
func (in *Ingest) write(ctx context.Context, ch Changes) error {
	if len(in.nodes) > 0 || len(ch.Results) > 0 || len(ch.Refs) > 0 {
		err := in.s.db.write(ctx, !ch.Loose, func(c *conn) error { return in.record(c, ch) })
		if err != nil {
			return err
		}
	}
	if ch.Run == nil {
		return nil
	}
	return ch.Run.put(in.s.opts.Now())
}

// flush brings the new files to the disk.
func (in *Ingest) flush(blobs []digest.Digest) error {
	if len(blobs) == 0 {
		return nil
	}
	names := make([]string, len(blobs))
	for i, d := range blobs {
		names[i] = in.files[d].name
	}
	return flushFiles(in.dir, names)
}

// complete checks that everything which is named is here or in the store, and
// claims it. With it a node is in the store only if all below it is.
func (in *Ingest) complete(ctx context.Context, ch Changes) error {
	var nodes, blobs []digest.Digest
	for _, n := range in.nodes {
		sub, bodies, err := checkNode(n, in.s.opts.References)
		if err != nil {
			return err
		}
		nodes, blobs = in.strange(nodes, sub, bodies, blobs)
	}
	for _, r := range ch.Results {
		nodes, blobs = in.strange(nodes, r.Trees, r.Blobs, blobs)
	}
	for _, r := range ch.Refs {
		nodes, blobs = in.strange(nodes, r.Trees, r.Blobs, blobs)
	}
	nodes = in.s.lease.unheld(asNode, nodes)
	if ch.Run != nil {
		sub, bodies, err := ch.Run.outside(in.s.opts.References)
		if err != nil {
			return err
		}
		var ofRun []digest.Digest
		ofRun, blobs = in.strange(nil, sub, bodies, blobs)
		nodes = append(nodes, in.s.lease.unheldBelow(ofRun)...)
	}
	blobs = in.s.lease.unheld(asBlob, blobs)
	in.seen = in.seen || len(blobs) > 0
	missing, err := in.s.Hold(ctx, nodes, blobs)
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return fmt.Errorf("%w: %s (and %d more)", ErrIncomplete, missing[0], len(missing)-1)
	}
	return nil
}

// strange adds those of sub and bodies that this ingest does not bring.
func (in *Ingest) strange(nodes, sub, bodies, blobs []digest.Digest) (n, b []digest.Digest) {
	for _, d := range sub {
		if _, ok := in.queue[d]; !ok {
			nodes = append(nodes, d)
		}
	}
	for _, d := range bodies {
		if _, ok := in.files[d]; !ok {
			blobs = append(blobs, d)
		}
	}
	return nodes, blobs
}

// renaming is the name of a file that says: blobs of this ingest may be visible
// whose directory is not flushed yet.
const renaming = "renaming"

// place moves the new files to their names and flushes the directories.
func (in *Ingest) place(blobs []digest.Digest) error {
	s := in.s
	if len(blobs) > 0 {
		f, err := os.OpenFile(filepath.Join(in.path, renaming), os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		in.mark = true
		if err := f.Close(); err != nil {
			return err
		}
	}
	dirs := map[string]struct{}{}
	for _, d := range blobs {
		name := s.locate(d).name
		placed, err := in.placeOne(d, name)
		if err != nil {
			return err
		}
		in.wrote.Blobs.add(placed, in.files[d].size)
		dirs[name[:2]] = struct{}{}
	}
	others := false
	if in.seen || len(blobs) > 0 {
		var err error
		if others, err = s.unflushed(in.path); err != nil {
			return err
		}
	}
	if err := s.flushDirs(dirs, others); err != nil {
		return err
	}
	in.mark = false // the file goes with the directory
	if len(blobs) > 0 {
		return os.Remove(filepath.Join(in.path, renaming))
	}
	return nil
}

// placeOne moves one file to its name, unless the blob is there: it tells which.
func (in *Ingest) placeOne(d digest.Digest, name string) (placed bool, err error) {
	s, p := in.s, in.files[d]
	err = renameNew(in.dir, p.name, s.blobs, name)
	switch {
	case errors.Is(err, fs.ErrNotExist): // somebody removed the empty directory
		if err := mkdir(s.path("blobs", name[:2])); err != nil {
			return false, err
		}
		if err := s.blobs.Sync(); err != nil {
			return false, err
		}
		return true, renameNew(in.dir, p.name, s.blobs, name)
	case errors.Is(err, fs.ErrExist):
		ok, err := s.present(d, p.size)
		if ok || err != nil {
			in.seen = true
			return false, err // the file here goes with the directory
		}
		// What is there lost its bytes.
		return true, os.Rename(filepath.Join(in.path, p.name), s.path("blobs", name))
	}
	return true, err
}

// unflushed tells whether another ingest is between renaming and flushing, or
// died there: a blob that was seen may be one of its.
func (s *Store) unflushed(own string) (bool, error) {
	list, err := os.ReadDir(s.path("ingest"))
	if err != nil {
		return false, err
	}
	for _, e := range list {
		p := s.path("ingest", e.Name())
		if p == own {
			continue
		}
		if unix.Access(filepath.Join(p, renaming), unix.F_OK) == nil {
			return true, nil
		}
	}
	return false, nil
}

// flushDirs flushes some of the directories below blobs/, or everything.
func (s *Store) flushDirs(dirs map[string]struct{}, everything bool) error {
	const each = 32
	if everything || len(dirs) > each {
		return flushAll(s.blobs)
	}
	var files []*os.File
	var errs []error
	for d := range dirs {
		f, err := os.Open(s.path("blobs", d))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		files = append(files, f)
	}
	return errors.Join(append(errs, syncAll(files))...)
}

// syncAll flushes and closes files, several at once: file systems with a journal
// put them into one commit.
func syncAll(files []*os.File) error {
	const workers = 8
	errs := make([]error, len(files))
	next := make(chan int, len(files))
	for i := range files {
		next <- i
	}
	close(next)
	var wg sync.WaitGroup
	for range min(workers, len(files)) {
		wg.Go(func() {
			for i := range next {
				errs[i] = errors.Join(files[i].Sync(), files[i].Close())
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// record is the transaction that gives names.
func (in *Ingest) record(c *conn, ch Changes) error {
	now := in.s.opts.Now()
	for _, n := range in.nodes {
		put, err := c.putNode(n.Digest, n.Data)
		if err != nil {
			return err
		}
		in.wrote.Nodes.add(put, int64(len(n.Data)))
	}
	for key, r := range ch.Results {
		if err := c.putResult(key, r, now); err != nil {
			return err
		}
	}
	for name, r := range ch.Refs {
		if err := c.putRef(name, r, now); err != nil {
			return err
		}
	}
	return in.s.putUsed(c)
}
