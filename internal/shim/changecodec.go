package shim

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/tree"
)

// The form of a list of changes. Numbers are uvarints but for kind, a byte.
//
//	file    := "inlaychanges1\n" change* 0         nothing follows
//	change  := 1 path                              remove
//	         | 2 path attr                         make a directory
//	         | 3 path kind attr body               put
//	         | 4 path path                         link, what it is linked to
//	         | 5 path attr                         set attributes
//	         | 6 path path                         rename: from, to
//	body    := size digest:32 content              of a file that is not empty: of an empty one size alone
//	         | string                              a symlink's target
//	         | number number                       a device's major and minor number
//	         |                                     fifos, sockets
//	content := 1 string                            inline
//	         | 2 number path                       source, path in it
//	attr    := mode uid gid seconds nanoseconds n (string string)*n     seconds zigzag; extended attributes ascending
//	path    := string
//	string  := length byte*
const changesMagic = "inlaychanges1\n"

const (
	tagEnd = iota
	tagRemove
	tagMakeDir
	tagPut
	tagLink
	tagSetAttr
	tagRename
)

const (
	contentInline = 1 + iota
	contentAt
)

// Limits of what is read.
const (
	maxString = 1 << 16 // as of a value of an extended attribute
	maxPath   = 1 << 20 // a tree may be deep
	maxXattrs = 1 << 12
)

// ErrChanges is the error of a list that [Changes.Encode] did not write, or not whole.
var ErrChanges = errors.New("malformed list of changes")

var errNoChange = errors.New("not a change")

// Encode writes the list for [Apply]. A change that cannot be carried out anywhere is
// an error that names its path.
func (c Changes) Encode(w io.Writer) error {
	b := []byte(changesMagic)
	for _, ch := range c {
		if ch == nil {
			return errNoChange
		}
		if err := ch.check(); err != nil {
			return err
		}
		before := len(b)
		if b = appendChange(b, ch); len(b) == before {
			return fmt.Errorf("%w: %T", errNoChange, ch)
		}
		if len(b) >= 1<<16 {
			if _, err := w.Write(b); err != nil {
				return err
			}
			b = b[:0]
		}
	}
	_, err := w.Write(append(b, tagEnd))
	return err
}

func appendChange(b []byte, c Change) []byte {
	switch c := c.(type) {
	case Remove:
		return appendText(append(b, tagRemove), c.Path)
	case MakeDir:
		return appendAttr(appendText(append(b, tagMakeDir), c.Path), c.Attr)
	case Put:
		return appendPut(b, c)
	case Link:
		return appendText(appendText(append(b, tagLink), c.Path), c.To)
	case SetAttr:
		return appendAttr(appendText(append(b, tagSetAttr), c.Path), c.Attr)
	case Rename:
		return appendText(appendText(append(b, tagRename), c.From), c.To)
	}
	return b
}

func appendPut(b []byte, c Put) []byte {
	b = appendText(append(b, tagPut), c.Path)
	b = appendAttr(append(b, byte(c.Entry.Kind())), c.Entry.Attr())
	switch e := c.Entry.(type) {
	case tree.File:
		b = binary.AppendUvarint(b, uint64(e.Size))
		if e.Size > 0 {
			b = appendContent(e.Content.Append(b), c.From)
		}
	case tree.Symlink:
		b = appendText(b, e.Target)
	case tree.Device:
		b = binary.AppendUvarint(b, uint64(e.Major))
		b = binary.AppendUvarint(b, uint64(e.Minor))
	}
	return b
}

func appendContent(b []byte, c Content) []byte {
	switch c := c.(type) {
	case Inline:
		return appendText(append(b, contentInline), string(c))
	case At:
		b = binary.AppendUvarint(append(b, contentAt), uint64(c.Source))
		return appendText(b, c.Path)
	}
	return b
}

func appendAttr(b []byte, a tree.Attr) []byte {
	b = binary.AppendUvarint(b, uint64(a.Mode))
	b = binary.AppendUvarint(b, uint64(a.UID))
	b = binary.AppendUvarint(b, uint64(a.GID))
	b = binary.AppendVarint(b, a.ModTime.Sec)
	b = binary.AppendUvarint(b, uint64(a.ModTime.Nsec))
	n := 0
	for range a.Xattrs.All() {
		n++
	}
	b = binary.AppendUvarint(b, uint64(n))
	for name, value := range a.Xattrs.All() {
		b = appendText(appendText(b, name), value)
	}
	return b
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// ReadChanges reads a list. Each change is one that could be carried out, as far as
// that can be told without a directory. It ends with an error if the list does not
// end where it should.
func ReadChanges(r io.Reader) iter.Seq2[Change, error] {
	return func(yield func(Change, error) bool) {
		d := &changeReader{r: bufio.NewReaderSize(r, 64<<10)}
		magic := make([]byte, len(changesMagic))
		if _, err := io.ReadFull(d.r, magic); err != nil || string(magic) != changesMagic {
			yield(nil, fmt.Errorf("%w: it does not begin as one of this version", ErrChanges))
			return
		}
		for {
			c := d.change()
			if d.err == nil && c == nil {
				return
			}
			if d.err == nil {
				d.err = c.check()
			}
			if d.err != nil {
				yield(nil, d.err)
				return
			}
			if !yield(c, nil) {
				return
			}
		}
	}
}

// changeReader reads parts of a list. After an error all is zero.
type changeReader struct {
	r   *bufio.Reader
	err error
}

// change gives the next change; nil at the end.
func (d *changeReader) change() Change {
	switch tag := d.byte(); {
	case d.err != nil:
		return nil
	case tag == tagEnd:
		if _, err := d.r.ReadByte(); err != io.EOF {
			d.fail("something follows its end")
		}
		return nil
	case tag == tagRemove:
		return Remove{d.text(maxPath)}
	case tag == tagMakeDir:
		return MakeDir{d.text(maxPath), d.attr()}
	case tag == tagPut:
		return d.put()
	case tag == tagLink:
		return Link{d.text(maxPath), d.text(maxPath)}
	case tag == tagSetAttr:
		return SetAttr{d.text(maxPath), d.attr()}
	case tag == tagRename:
		return Rename{d.text(maxPath), d.text(maxPath)}
	default:
		d.fail(fmt.Sprintf("change %d is unknown", tag))
		return nil
	}
}

func (d *changeReader) put() Change {
	c := Put{Path: d.text(maxPath)}
	kind := tree.Kind(d.byte())
	a := d.attr()
	switch kind {
	case tree.KindFile:
		f := tree.File{Attributes: a, Size: int64(d.number(1<<63 - 1))}
		if f.Size > 0 {
			f.Content = d.digest()
			c.From = d.content()
		}
		c.Entry = f
	case tree.KindSymlink:
		c.Entry = tree.Symlink{Attributes: a, Target: d.text(maxString)}
	case tree.KindCharDevice, tree.KindBlockDevice:
		c.Entry = tree.Device{
			Attributes: a, Block: kind == tree.KindBlockDevice,
			Major: uint32(d.number(1<<32 - 1)), Minor: uint32(d.number(1<<32 - 1)),
		}
	case tree.KindFifo:
		c.Entry = tree.Fifo{Attributes: a}
	case tree.KindSocket:
		c.Entry = tree.Socket{Attributes: a}
	default:
		d.fail(fmt.Sprintf("kind %d cannot be put", kind))
	}
	return c
}

func (d *changeReader) content() Content {
	switch tag := d.byte(); tag {
	case contentInline:
		return Inline(d.text(MaxInline))
	case contentAt:
		return At{int(d.number(1 << 15)), d.text(maxPath)}
	default:
		d.fail(fmt.Sprintf("content %d is unknown", tag))
		return nil
	}
}

func (d *changeReader) attr() tree.Attr {
	a := tree.Attr{Mode: tree.Mode(d.number(uint64(tree.ModeAll))), UID: uint32(d.number(1<<32 - 1)), GID: uint32(d.number(1<<32 - 1))}
	if d.err == nil {
		var err error
		if a.ModTime.Sec, err = binary.ReadVarint(d.r); err != nil {
			d.fail("it ends too early")
		}
	}
	a.ModTime.Nsec = uint32(d.number(1<<32 - 1))
	n := d.number(maxXattrs)
	if n == 0 {
		return a
	}
	x := map[string]string{}
	for last := ""; n > 0 && d.err == nil; n-- {
		name := d.text(maxString)
		if name <= last && d.err == nil {
			d.fail("extended attributes are not sorted")
		}
		x[name], last = d.text(maxString), name
	}
	a.Xattrs = tree.NewXattrs(x)
	return a
}

func (d *changeReader) digest() (sum digest.Digest) {
	b := d.bytes(digest.Size)
	if d.err != nil {
		return sum
	}
	sum, err := digest.FromSum(b)
	if err != nil {
		d.fail(err.Error())
	}
	return sum
}

func (d *changeReader) byte() byte {
	if d.err != nil {
		return 0
	}
	b, err := d.r.ReadByte()
	if err != nil {
		d.fail("it ends too early")
	}
	return b
}

func (d *changeReader) number(most uint64) uint64 {
	if d.err != nil {
		return 0
	}
	n, err := binary.ReadUvarint(d.r)
	if err != nil || n > most {
		d.fail(fmt.Sprintf("a number that is no number up to %d", most))
		return 0
	}
	return n
}

func (d *changeReader) text(most uint64) string { return string(d.bytes(d.number(most))) }

func (d *changeReader) bytes(n uint64) []byte {
	if d.err != nil {
		return nil
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(d.r, b); err != nil {
		d.fail("it ends too early")
		return nil
	}
	return b
}

func (d *changeReader) fail(why string) {
	if d.err == nil {
		d.err = fmt.Errorf("%w: %s", ErrChanges, why)
	}
}
