package layer

import (
	"archive/tar"
	"context"
	"errors"
	"io"

	"github.com/inlaybuild/inlay/tree"
)

// ReadOptions says how a tar is read.
type ReadOptions struct {
	// Blobs takes the bodies. Nil computes their digests and forgets them.
	Blobs Blobs
	// Limits bound what the tar may hold.
	Limits Limits

	plain bool // names that start with ".wh." mean nothing
}

// Stats counts what a tar held.
type Stats struct {
	Entries   int64 // entries of the tar itself
	Files     int64 // bodies, empty ones included
	Bytes     int64 // of bodies, holes included
	Whiteouts int64 // opaque markers included
	Ignored   int64 // AUFS's leftovers and global headers
}

// Read gives the change set that a layer is. r is the tar without compression;
// it is read to its end, in another goroutine, which has ended when Read
// returns: a stream that may block should end with ctx. Bodies are kept before Read returns; when there is an error some may
// be kept as well, for nothing.
//
// Errors of what the layer holds are [ErrMalformed], mostly as an [EntryError],
// or a [LimitError]; a layer that is cut off is io.ErrUnexpectedEOF also. Those
// of r and of the blobs are passed on.
//
// It holds about 300 bytes for each entry and 10 MiB in all, however large the
// bodies are.
func Read(ctx context.Context, r io.Reader, o ReadOptions) (tree.ChangeSet, Stats, error) {
	if o.Blobs == nil {
		o.Blobs = discard{}
	}
	ahead := newReadAhead(r)
	defer ahead.close()
	rd := &reader{
		o:      o,
		raw:    &raw{r: ahead},
		usage:  usage{limits: o.Limits.withDefaults()},
		root:   &node{},
		bodies: newBodies(ctx, o.Blobs),
	}
	rd.tar = tar.NewReader(rd.raw)
	err := rd.entries()
	if kept := rd.bodies.close(); kept != nil && (err == nil || errors.Is(err, context.Canceled)) {
		err = kept
	}
	if err != nil {
		return tree.ChangeSet{}, rd.stats, err
	}
	cs, err := build(rd.root, rd.forward)
	return cs, rd.stats, err
}

// reader is one call of Read.
type reader struct {
	o       ReadOptions
	raw     *raw
	tar     *tar.Reader
	usage   usage
	stats   Stats
	root    *node
	plinks  map[string]*inode
	forward bool // there are hardlinks to names that the layer did not have yet
	bodies  *bodies
	probe   [1]byte
}

func (rd *reader) entries() error {
	for {
		if err := rd.bodies.err(); err != nil {
			return err
		}
		h, err := rd.tar.Next()
		if errors.Is(err, tar.ErrInsecurePath) {
			err = nil // names are looked at here
		}
		if err == io.EOF {
			return rd.raw.end()
		} else if err != nil {
			return rd.raw.explain(err)
		}
		if err := rd.entry(h); err != nil {
			return rd.named(h, err)
		}
		rd.raw.entryEnds()
	}
}

// named puts the entry's name to an error that is about it.
func (rd *reader) named(h *tar.Header, err error) error {
	var limit *LimitError
	var known *EntryError
	switch {
	case rd.raw.err != nil:
		return rd.raw.err
	case errors.As(err, &limit) || errors.As(err, &known):
		return err
	case errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, ErrMalformed):
		err = malformed("it is cut off: %w", io.ErrUnexpectedEOF)
	}
	if errors.Is(err, ErrMalformed) {
		return &EntryError{h.Name, err}
	}
	return err
}

func (rd *reader) entry(h *tar.Header) error {
	rd.stats.Entries++
	u := &rd.usage
	if err := u.add(h.Name, limitEntries, &u.entries, 1, u.limits.MaxEntries); err != nil {
		return err
	}
	if h.Typeflag == tar.TypeXGlobalHeader {
		rd.stats.Ignored++
		return nil
	}
	if err := u.add(h.Name, limitMetadata, &u.metadata, metadata(h), u.limits.MaxMetadata); err != nil {
		return err
	}
	if err := checkSize(h); err != nil {
		return err
	}
	names, err := splitName(h.Name)
	if err != nil {
		return err
	}
	if int64(len(names)) > u.limits.MaxDepth {
		return &LimitError{limitDepth, u.limits.MaxDepth, h.Name}
	}
	names, role, err := classify(names, rd.o.plain)
	if err != nil {
		return err
	}
	switch role {
	case leftover:
		rd.stats.Ignored++
		return rd.skip(h)
	case plink:
		return rd.plink(h, names[len(names)-1])
	case whiteout, opaque:
		return rd.whiteout(h, names, role)
	}
	return rd.place(h, names)
}

// checkSize refuses content where there is none.
func checkSize(h *tar.Header) error {
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
		switch h.PAXRecords["GNU.sparse.major"] + "." + h.PAXRecords["GNU.sparse.minor"] {
		case ".", "0.0", "0.1", "1.0":
			return nil
		}
		return malformed("it is sparse in an unknown way")
	case tar.TypeDir, tar.TypeSymlink, tar.TypeLink, tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		if h.Size != 0 {
			return malformed("its type has no content, but its size is %d", h.Size)
		}
		return nil
	}
	return malformed("its type %q is unknown", h.Typeflag)
}
