package layer

import (
	"archive/tar"
	"context"
	"io"

	"github.com/inlaybuild/inlay/tree"
)

// WriteOptions says how a tar is written.
type WriteOptions struct {
	// Open opens the bodies. It may be nil when there are none.
	Open OpenBlob
	// Base is what the layers below give. Directories of which the change set
	// says no attributes get an entry with those that they have in Base. Without
	// Base they are only implied by what is in them, and many who unpack leave
	// the time of unpacking on them, or follow a symlink that stands there: give
	// it whenever it is known.
	Base *tree.Tree
}

// Written counts what was written.
type Written struct {
	Entries int64
	Bytes   int64    // of bodies
	Sockets []string // paths of the sockets that were left out
}

// Write writes a change set as a layer. The bytes depend on the change set and
// Base alone: entries in the order of [tree.ComparePaths], a whiteout where its
// name would be, an opaque marker right behind its directory, PAX records only
// for what a plain header has no room for; the body of an inode stands at its
// first name, the others are hardlinks to it. A socket that is put is left out:
// a whiteout stands in its place.
//
// The error of a path that a layer cannot hold is [ErrUnwritable], in an
// [EntryError]: a name that starts with ".wh.", and a directory of which nothing
// at all is said.
func Write(ctx context.Context, w io.Writer, cs tree.ChangeSet, o WriteOptions) (Written, error) {
	return write(ctx, w, o, func(p *plan) error {
		if cs.Root == nil {
			return nil
		}
		if err := p.groups(ctx, cs); err != nil {
			return err
		}
		_, err := p.change(ctx, "/", cs.Root, p.base)
		return err
	})
}

// WriteTree writes a whole tree as a plain tar, in the same form; names that
// start with ".wh." are written as they are. [WriteOptions].Base is not used.
func WriteTree(ctx context.Context, w io.Writer, t tree.Tree, o WriteOptions) (Written, error) {
	return write(ctx, w, o, func(p *plan) error {
		p.plain = true
		return p.tree(ctx, "/", t)
	})
}

// write plans in one goroutine, opens and reads small bodies in others, and
// writes in this one.
func write(ctx context.Context, w io.Writer, o WriteOptions, make func(*plan) error) (Written, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	p := &plan{open: o.Open, base: o.Base, out: newQueue(ctx)}
	go func() {
		if err := make(p); err != nil {
			cancel(err)
		}
		p.out.close()
	}()
	t := tar.NewWriter(w)
	var err error
	for it := range p.out.items {
		if err == nil {
			if err = it.write(ctx, t, o.Open); err != nil {
				cancel(err)
			}
		}
		it.release()
	}
	p.out.wait()
	if err == nil {
		err = context.Cause(ctx)
	}
	cancel(nil)
	if err == nil {
		err = t.Close()
	}
	return p.written, err
}
