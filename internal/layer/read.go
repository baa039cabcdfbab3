package layer

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"slices"
	"strings"

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

// directory gives the node of a directory that is a parent of the entry.
func (rd *reader) directory(name string, parents []string) (*node, error) {
	n := rd.root
	for i := 0; ; i++ {
		switch n.state {
		case absent:
			u := &rd.usage
			if err := u.add(name, limitEntries, &u.entries, 1, u.limits.MaxEntries); err != nil {
				return nil, err
			}
			n.putDirectory(nil)
		case other:
			return nil, malformed("it lies below %s, which this layer makes something else than a directory",
				quote(strings.Join(parents[:i], "/")))
		}
		if i == len(parents) {
			return n, nil
		}
		n = n.child(parents[i])
	}
}

func (rd *reader) whiteout(h *tar.Header, names []string, role role) error {
	if h.Size != 0 {
		return malformed("it is a whiteout, but has %d bytes", h.Size)
	}
	rd.stats.Whiteouts++
	if role == opaque {
		n, err := rd.directory(h.Name, names)
		if err == nil {
			n.opaque = true
		}
		return err
	}
	n, err := rd.directory(h.Name, names[:len(names)-1])
	if err == nil {
		n.child(names[len(names)-1]).removed = true
	}
	return err
}

func (rd *reader) place(h *tar.Header, names []string) error {
	if len(names) == 0 {
		if h.Typeflag != tar.TypeDir {
			return malformed("the root can only be a directory")
		}
		a, err := attrOf(h)
		if err == nil {
			rd.root.putDirectory(&a)
		}
		return err
	}
	dir, err := rd.directory(h.Name, names[:len(names)-1])
	if err != nil {
		return err
	}
	var i *inode
	switch h.Typeflag {
	case tar.TypeDir:
		a, err := attrOf(h)
		if err == nil {
			dir.child(names[len(names)-1]).putDirectory(&a)
		}
		return err
	case tar.TypeLink:
		i, err = rd.hardlink(h, names)
	default:
		i, err = rd.inode(h)
	}
	if err == nil {
		dir.child(names[len(names)-1]).put(i)
	}
	return err
}

// hardlink gives the inode that a hardlink leads to.
func (rd *reader) hardlink(h *tar.Header, names []string) (*inode, error) {
	to, err := splitName(h.Linkname)
	if err != nil {
		return nil, malformed("it is a hardlink to %s: %w", quote(h.Linkname), err)
	}
	to, role, err := classify(to, rd.o.plain)
	switch {
	case err != nil:
		return nil, malformed("it is a hardlink to %s: %w", quote(h.Linkname), err)
	case role == plink:
		if i := rd.plinks[to[len(to)-1]]; i != nil {
			i.linked()
			return i, nil
		}
		return nil, malformed("it is a hardlink to %s, which is not there", quote(h.Linkname))
	case role != ordinary:
		return nil, malformed("it is a hardlink to %s, which is a whiteout", quote(h.Linkname))
	}
	if n, _ := rd.root.find(to); n != nil && n.state == directory {
		return nil, malformed("it is a hardlink to %s, which is a directory", quote(h.Linkname))
	} else if n != nil && n.state == other {
		n.inode.linked()
		return n.inode, nil
	}
	if slices.Equal(names, to) {
		return nil, malformed("it is a hardlink to itself")
	}
	rd.forward = true
	for k := range to {
		to[k] = strings.Clone(to[k])
	}
	return &inode{links: &links{to: to, header: strings.Clone(h.Name)}}, nil
}

// plink keeps a file that only hardlinks lead to.
func (rd *reader) plink(h *tar.Header, name string) error {
	rd.stats.Ignored++
	if h.Typeflag == tar.TypeDir || h.Typeflag == tar.TypeLink {
		return rd.skip(h)
	}
	i, err := rd.inode(h)
	if err != nil {
		return err
	}
	if rd.plinks == nil {
		rd.plinks = map[string]*inode{}
	}
	rd.plinks[strings.Clone(name)] = i
	return nil
}

// skip reads a body for nothing, within the limits.
func (rd *reader) skip(h *tar.Header) error {
	_, err := io.Copy(io.Discard, rd.body(h))
	return err
}
