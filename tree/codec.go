package tree

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/inlaybuild/inlay/digest"
)

// The encoded form. A node is one of four:
//
//	root   := 'R' directory
//	names  := 'N' count child*          count >= 1, names ascending
//	chunks := 'C' level count chunk*    level >= 1, count >= 1, first names ascending
//	links  := 'L' count group*          count >= 1, first paths ascending
//
//	child  := string(name) kind attr rest
//	rest   := directory: listing   file: size digest(if size > 0)   symlink: string(target)
//	          device: major minor   fifo, socket: nothing
//	directory := attr listing
//	listing   := names [level count bytes digest](if names > 0) linked [digest](if linked is 1)
//	chunk  := string(first name) names count bytes digest
//	group  := count string(path)*       count >= 2, paths ascending
//	attr   := mode uid gid seconds(zigzag) nanoseconds xattrs
//	xattrs := length (string(name) string(value))*    names ascending; length is in bytes
//
// The mode of a symlink is 0777.
//
// Numbers are uvarints in their shortest form, strings are a length and bytes,
// kinds and levels are one byte, digests are 32 bytes. There is one encoding of
// a value, and what is not one is refused.

const (
	tagRoot   = 'R'
	tagNames  = 'N'
	tagChunks = 'C'
	tagLinks  = 'L'
)

// ErrMalformed is the error of bytes that are not an encoded node.
var ErrMalformed = errors.New("malformed tree node")

func malformed(what string) error {
	return fmt.Errorf("%w: %s", ErrMalformed, what)
}

func (t Tree) encode() []byte {
	b := make([]byte, 0, 160)
	b = append(b, tagRoot)
	b = appendAttr(b, t.attr)
	return appendListing(b, t)
}

func (n *body) encode() []byte {
	if n.level > 0 {
		b := make([]byte, 0, 16+len(n.kids)*64)
		b = append(b, tagChunks, byte(n.level))
		b = binary.AppendUvarint(b, uint64(len(n.kids)))
		for _, k := range n.kids {
			b = appendString(b, k.first)
			b = binary.AppendUvarint(b, uint64(k.names))
			b = binary.AppendUvarint(b, uint64(k.count))
			b = binary.AppendUvarint(b, uint64(k.bytes))
			b = k.digest().Append(b)
		}
		return b
	}
	b := make([]byte, 0, 16+len(n.children)*96)
	b = append(b, tagNames)
	b = binary.AppendUvarint(b, uint64(len(n.children)))
	for _, c := range n.children {
		b = appendString(b, c.Name)
		b = append(b, byte(c.Entry.Kind()))
		b = appendAttr(b, c.Entry.Attr())
		switch e := c.Entry.(type) {
		case Tree:
			b = appendListing(b, e)
		case File:
			b = binary.AppendUvarint(b, uint64(e.Size))
			if e.Size > 0 {
				b = e.Content.Append(b)
			}
		case Symlink:
			b = appendString(b, e.Target)
		case Device:
			b = binary.AppendUvarint(b, uint64(e.Major))
			b = binary.AppendUvarint(b, uint64(e.Minor))
		}
	}
	return b
}

func encodeLinks(groups []group) []byte {
	b := []byte{tagLinks}
	b = binary.AppendUvarint(b, uint64(len(groups)))
	for _, g := range groups {
		b = binary.AppendUvarint(b, uint64(len(g)))
		for _, p := range g {
			b = appendString(b, p)
		}
	}
	return b
}

func appendAttr(b []byte, a Attr) []byte {
	b = binary.AppendUvarint(b, uint64(a.Mode))
	b = binary.AppendUvarint(b, uint64(a.UID))
	b = binary.AppendUvarint(b, uint64(a.GID))
	b = binary.AppendVarint(b, a.ModTime.Sec)
	b = binary.AppendUvarint(b, uint64(a.ModTime.Nsec))
	return appendString(b, a.Xattrs.enc)
}

func appendListing(b []byte, t Tree) []byte {
	if t.list == nil {
		return append(b, 0, 0)
	}
	b = binary.AppendUvarint(b, uint64(t.list.names))
	b = append(b, byte(t.list.level))
	b = binary.AppendUvarint(b, uint64(t.list.count))
	b = binary.AppendUvarint(b, uint64(t.list.bytes))
	b = t.list.digest().Append(b)
	if t.links == nil {
		return append(b, 0)
	}
	b = append(b, 1)
	return t.links.digest().Append(b)
}

// decoder takes values off the front of an encoded node. After the first error
// all it gives is zero.
type decoder struct {
	s      string
	source Source
	err    error
}

func (d *decoder) fail(what string) {
	if d.err == nil {
		d.err = malformed(what)
	}
	d.s = ""
}

func (d *decoder) byte() byte {
	if d.s == "" {
		d.fail("it ends early")
		return 0
	}
	c := d.s[0]
	d.s = d.s[1:]
	return c
}

func (d *decoder) uvarint(most uint64) uint64 {
	var n uint64
	for shift := 0; ; shift += 7 {
		c := d.byte()
		if d.err != nil {
			return 0
		}
		if shift == 63 && c > 1 || shift > 0 && c == 0 {
			d.fail("a number that is not in its shortest form")
			return 0
		}
		n |= uint64(c&0x7f) << shift
		if c < 0x80 {
			break
		}
	}
	if n > most {
		d.fail("a number that is too great")
		return 0
	}
	return n
}

func (d *decoder) string() string {
	n := d.uvarint(uint64(len(d.s)))
	if n > uint64(len(d.s)) {
		d.fail("it ends early")
		return ""
	}
	v := d.s[:n]
	d.s = d.s[n:]
	return v
}

func (d *decoder) digest() digest.Digest {
	if len(d.s) < digest.Size {
		d.fail("it ends early")
		return digest.Digest{}
	}
	v, _ := digest.FromSum([]byte(d.s[:digest.Size]))
	d.s = d.s[digest.Size:]
	return v
}

func (d *decoder) name() string {
	v := d.string()
	if d.err == nil {
		if err := CheckName(v); err != nil {
			d.fail(err.Error())
		}
	}
	return v
}

func (d *decoder) end() error {
	if d.err == nil && d.s != "" {
		d.fail("there is more after its end")
	}
	return d.err
}

func (d *decoder) attr() Attr {
	var a Attr
	a.Mode = Mode(d.uvarint(uint64(ModeAll)))
	a.UID = uint32(d.uvarint(math.MaxUint32))
	a.GID = uint32(d.uvarint(math.MaxUint32))
	z := d.uvarint(math.MaxUint64)
	a.ModTime.Sec = int64(z>>1) ^ -int64(z&1)
	a.ModTime.Nsec = uint32(d.uvarint(999_999_999))
	a.Xattrs = d.xattrs()
	return a
}

func (d *decoder) xattrs() Xattrs {
	s := d.string()
	x := decoder{s: s}
	last, first := "", true
	for x.s != "" && x.err == nil {
		name := x.string()
		x.string()
		if !first && name <= last {
			x.fail("extended attributes out of order")
		}
		last, first = name, false
	}
	if x.err != nil {
		d.fail("extended attributes: " + x.err.Error())
		return Xattrs{}
	}
	return Xattrs{s}
}

// sourceOf gives where a node that this one names is.
func (d *decoder) sourceOf(name digest.Digest) *Source {
	if of, ok := d.source.(Divided); ok {
		src := of.SourceOf(name)
		return &src
	}
	return &d.source
}

func (d *decoder) listing(t *Tree) {
	names := int64(d.uvarint(math.MaxInt64))
	if names > 0 {
		l := &list{names: names}
		l.level = int(d.byte())
		l.count = int64(d.uvarint(math.MaxInt64))
		l.bytes = int64(d.uvarint(math.MaxInt64))
		dig := d.digest()
		src := d.sourceOf(dig)
		l.source = *src
		l.dig.Store(&dig)
		l.home.Store(src)
		if l.level > maxLevel {
			d.fail("a chunk of too high a level")
		}
		t.list = l
	}
	switch d.byte() {
	case 0:
	case 1:
		if names == 0 {
			d.fail("hardlinks without names")
		}
		dig := d.digest()
		src := d.sourceOf(dig)
		l := &linkList{source: *src}
		l.dig.Store(&dig)
		l.home.Store(src)
		t.links = l
	default:
		d.fail("neither with nor without hardlinks")
	}
}

func (d *decoder) child() Child {
	c := Child{Name: d.name()}
	kind := Kind(d.byte())
	a := d.attr()
	switch kind {
	case KindDirectory:
		t := Tree{attr: a}
		d.listing(&t)
		c.Entry = t
	case KindFile:
		f := File{Attributes: a, Size: int64(d.uvarint(math.MaxInt64))}
		if f.Size > 0 {
			f.Content = d.digest()
		}
		c.Entry = f
	case KindSymlink:
		if a.Mode != 0o777 {
			d.fail("a symlink with a mode of its own")
		}
		c.Entry = Symlink{Attributes: a, Target: d.string()}
	case KindCharDevice, KindBlockDevice:
		v := Device{Attributes: a, Block: kind == KindBlockDevice}
		v.Major = uint32(d.uvarint(math.MaxUint32))
		v.Minor = uint32(d.uvarint(math.MaxUint32))
		c.Entry = v
	case KindFifo:
		c.Entry = Fifo{a}
	case KindSocket:
		c.Entry = Socket{a}
	default:
		d.fail("an entry of unknown kind")
	}
	return c
}

func decodeRoot(enc []byte, src Source) (Tree, error) {
	d := &decoder{s: string(enc), source: src}
	if d.byte() != tagRoot {
		d.fail("it is not a root")
	}
	t := Tree{attr: d.attr()}
	d.listing(&t)
	return t, d.end()
}

func decodeBody(enc []byte, src Source) (*body, error) {
	d := &decoder{s: string(enc), source: src}
	b := &body{}
	switch d.byte() {
	case tagNames:
		n := d.uvarint(uint64(len(d.s)))
		b.children = make([]Child, 0, min(n, 1<<12))
		for range n {
			c := d.child()
			if d.err != nil {
				return nil, d.err
			}
			if k := len(b.children); k > 0 && b.children[k-1].Name >= c.Name {
				return nil, malformed("names out of order")
			}
			b.children = append(b.children, c)
		}
	case tagChunks:
		b.level = int(d.byte())
		if b.level < 1 || b.level > maxLevel {
			d.fail("a chunk of an impossible level")
		}
		for range d.uvarint(uint64(len(d.s))) {
			k := d.chunk(b.level - 1)
			if d.err != nil {
				return nil, d.err
			}
			if n := len(b.kids); n > 0 && b.kids[n-1].first >= k.first {
				return nil, malformed("chunks out of order")
			}
			b.kids = append(b.kids, k)
		}
	default:
		d.fail("it is not a part of a directory")
	}
	if d.err == nil && len(b.children)+len(b.kids) == 0 {
		d.fail("an empty chunk")
	}
	if d.err == nil && !b.cutRight() {
		d.fail("a chunk that is not cut where its names say")
	}
	return b, d.end()
}

// cutRight tells whether a chunk ends where names of its level would end it, and
// has none of them inside: there is one way to cut a directory.
func (n *body) cutRight() bool {
	for i := 1; i < len(n.children); i++ {
		if nameLevel(n.children[i].Name) != 0 {
			return false
		}
	}
	for i := 1; i < len(n.kids); i++ {
		if nameLevel(n.kids[i].first) != n.level {
			return false
		}
	}
	return true
}

func (d *decoder) chunk(level int) *list {
	l := &list{level: level, first: d.name()}
	l.names = int64(d.uvarint(math.MaxInt64))
	l.count = int64(d.uvarint(math.MaxInt64))
	l.bytes = int64(d.uvarint(math.MaxInt64))
	dig := d.digest()
	src := d.sourceOf(dig)
	l.source = *src
	l.dig.Store(&dig)
	l.home.Store(src)
	return l
}

func firstName(p string) string {
	name, _, _ := strings.Cut(p, "/")
	return name
}

func decodeLinks(enc []byte) ([]group, error) {
	d := &decoder{s: string(enc)}
	if d.byte() != tagLinks {
		d.fail("it is not a list of hardlinks")
	}
	n := d.uvarint(uint64(len(d.s)))
	if n == 0 {
		d.fail("no hardlinks")
	}
	var groups []group
	seen := map[string]bool{}
	for range n {
		var g group
		for range d.uvarint(uint64(len(d.s))) {
			p := d.string()
			if d.err != nil {
				return nil, d.err
			}
			if k := len(g); k > 0 && ComparePaths(g[k-1], p) >= 0 {
				return nil, malformed("hardlinks out of order")
			}
			if clean, err := CleanPath(p); err != nil || clean != "/"+p {
				return nil, malformed("a hardlink of a path that cannot be")
			}
			if k := len(g); seen[p] || k > 0 && firstName(g[k-1]) == firstName(p) {
				return nil, malformed("a hardlink that is written down twice")
			}
			seen[p] = true
			g = append(g, p)
		}
		if d.err == nil && len(g) < 2 {
			d.fail("a hardlink of one name")
		}
		if d.err != nil {
			return nil, d.err
		}
		if k := len(groups); k > 0 && ComparePaths(groups[k-1][0], g[0]) >= 0 {
			return nil, malformed("hardlinks out of order")
		}
		groups = append(groups, g)
	}
	return groups, d.end()
}
