package layer

import (
	"archive/tar"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/inlaybuild/inlay/tree"
)

// leaf plans an entry that is not a directory.
func (p *plan) leaf(at string, e tree.Entry) error {
	if e.Kind() == tree.KindSocket {
		p.written.Sockets = append(p.written.Sockets, at)
		if p.plain {
			return nil
		}
		dir, name := path.Split(at)
		return p.marker(dir + whiteoutPrefix + name)
	}
	h := &tar.Header{}
	if g := p.links[at]; g != nil {
		if g = g.find(); g.first != "" {
			h.Typeflag, h.Linkname = tar.TypeLink, strings.TrimPrefix(g.first, "/")
			return p.add(at, h, e.Attr(), nil)
		}
		g.first = at
	}
	switch e := e.(type) {
	case tree.File:
		h.Typeflag, h.Size = tar.TypeReg, e.Size
		p.written.Bytes += e.Size
		if e.Size > 0 {
			return p.add(at, h, e.Attributes, &e)
		}
	case tree.Symlink:
		h.Typeflag, h.Linkname = tar.TypeSymlink, e.Target
		if e.Target == "" || len(e.Target) > maxTarget || strings.IndexByte(e.Target, 0) >= 0 {
			return unwritable(at, "it is a symlink to %s", quote(e.Target))
		}
	case tree.Device:
		h.Typeflag, h.Devmajor, h.Devminor = tar.TypeChar, int64(e.Major), int64(e.Minor)
		if e.Block {
			h.Typeflag = tar.TypeBlock
		}
		if e.Major > maxMajor || e.Minor > maxMinor {
			return unwritable(at, "it is a device %d:%d, beyond what Linux has", e.Major, e.Minor)
		}
	case tree.Fifo:
		h.Typeflag = tar.TypeFifo
	default:
		return fmt.Errorf("%s: unknown entry %T", at, e)
	}
	return p.add(at, h, e.Attr(), nil)
}

// add puts an entry into the queue.
func (p *plan) add(at string, h *tar.Header, a tree.Attr, f *tree.File) error {
	if h.Name == "" {
		h.Name = strings.TrimPrefix(at, "/")
	}
	h.Format = tar.FormatPAX // a plain header where that has room for all
	if err := setAttr(h, at, a); err != nil {
		return err
	}
	if !utf8.ValidString(h.Name) || !utf8.ValidString(h.Linkname) {
		// pax(1): the names in the records are bytes, not UTF-8.
		if h.PAXRecords == nil {
			h.PAXRecords = map[string]string{}
		}
		h.PAXRecords["hdrcharset"] = "BINARY"
	}
	p.written.Entries++
	return p.out.add(&item{header: h, path: at, file: f}, p.open)
}
