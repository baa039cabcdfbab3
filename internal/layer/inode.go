package layer

import (
	"archive/tar"
	"io"
	"strings"

	"github.com/inlaybuild/inlay/tree"
)

// metadata gives the number of bytes that an entry has beside its body.
func metadata(h *tar.Header) int64 {
	n := len(h.Name) + len(h.Linkname)
	for key, value := range h.PAXRecords {
		n += len(key) + len(value)
	}
	return int64(n)
}

// inode gives what an entry is that is neither a directory nor a hardlink.
func (rd *reader) inode(h *tar.Header) (*inode, error) {
	a, err := attrOf(h)
	if err != nil {
		return nil, err
	}
	switch h.Typeflag {
	case tar.TypeSymlink:
		return symlink(h, a)
	case tar.TypeChar, tar.TypeBlock:
		if h.Devmajor < 0 || h.Devmajor > maxMajor || h.Devminor < 0 || h.Devminor > maxMinor {
			return nil, malformed("it is a device %d:%d, beyond what Linux has", h.Devmajor, h.Devminor)
		}
		return &inode{entry: tree.Device{Attributes: a, Block: h.Typeflag == tar.TypeBlock,
			Major: uint32(h.Devmajor), Minor: uint32(h.Devminor)}}, nil
	case tar.TypeFifo:
		return &inode{entry: tree.Fifo{Attributes: a}}, nil
	}
	u := &rd.usage
	if err := u.add(h.Name, limitBytes, &u.bytes, h.Size, u.limits.MaxBytes); err != nil {
		return nil, err
	}
	i := &inode{}
	if f := (tree.File{Attributes: a, Size: h.Size}); f.Size == 0 {
		i.entry = f
	} else {
		if err := rd.bodies.put(i, f, rd.body(h)); err != nil {
			return nil, err
		}
	}
	// The parser must see the end: only then does it know that no more is there.
	if n, err := rd.tar.Read(rd.probe[:]); n != 0 || err != io.EOF {
		return nil, malformed("its size and its content disagree: %w", err)
	}
	rd.stats.Files++
	rd.stats.Bytes += h.Size
	return i, nil
}

func symlink(h *tar.Header, a tree.Attr) (*inode, error) {
	a.Mode = 0o777
	switch n := len(h.Linkname); {
	case n == 0 || strings.IndexByte(h.Linkname, 0) >= 0:
		return nil, malformed("it is a symlink to %s", quote(h.Linkname))
	case n > maxTarget:
		return nil, malformed("it is a symlink of %d bytes: Linux has room for %d", n, maxTarget)
	}
	return &inode{entry: tree.Symlink{Attributes: a, Target: strings.Clone(h.Linkname)}}, nil
}

// body reads the body of the current entry, and watches that holes stay within
// the limits.
type body struct {
	rd   *reader
	name string
	from int64 // where the body starts in the stream
	n    int64
	seen int64 // holes that were counted
}

func (rd *reader) body(h *tar.Header) *body {
	return &body{rd: rd, name: h.Name, from: rd.raw.n}
}

// Read gives the next bytes of the body.
func (b *body) Read(p []byte) (int, error) {
	if err := b.rd.bodies.err(); err != nil {
		return 0, err
	}
	n, err := b.rd.tar.Read(p)
	b.n += int64(n)
	if holes := b.n - (b.rd.raw.n - b.from); holes > b.seen {
		u := &b.rd.usage
		if err := u.add(b.name, limitHoles, &u.holes, holes-b.seen, u.limits.MaxHoles); err != nil {
			return 0, err
		}
		b.seen = holes
	}
	return n, err
}
