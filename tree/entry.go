package tree

import (
	"fmt"

	"github.com/inlaybuild/inlay/digest"
)

// Kind tells what an entry is.
type Kind uint8

// The kinds of entries. Their values are part of the encoded form.
const (
	KindDirectory Kind = 1 + iota
	KindFile
	KindSymlink
	KindCharDevice
	KindBlockDevice
	KindFifo
	KindSocket
)

// String gives the kind in words.
func (k Kind) String() string {
	switch k {
	case KindDirectory:
		return "directory"
	case KindFile:
		return "file"
	case KindSymlink:
		return "symlink"
	case KindCharDevice:
		return "character device"
	case KindBlockDevice:
		return "block device"
	case KindFifo:
		return "fifo"
	case KindSocket:
		return "socket"
	}
	return "unknown kind"
}

// Entry is what a name in a directory stands for: a [Tree], [File], [Symlink],
// [Device], [Fifo] or [Socket]. All are values; those that are not trees may be
// compared with ==.
type Entry interface {
	// Kind tells which of the kinds it is.
	Kind() Kind
	// Attr gives mode, owner, time and extended attributes.
	Attr() Attr
	// WithAttr gives the same entry with other attributes.
	WithAttr(Attr) Entry

	entry()
}

// File is a regular file. Holes are not remembered: content is bytes.
type File struct {
	Attributes Attr
	Size       int64         // bytes
	Content    digest.Digest // zero when Size is 0
}

// Symlink is a symbolic link.
type Symlink struct {
	Attributes Attr // the mode is always 0777
	Target     string
}

// Device is a character or a block device.
type Device struct {
	Attributes Attr
	Block      bool // a block device; otherwise a character device
	Major      uint32
	Minor      uint32
}

// Fifo is a named pipe.
type Fifo struct{ Attributes Attr }

// Socket is the name of a local socket.
type Socket struct{ Attributes Attr }

// Kind gives [KindFile].
func (File) Kind() Kind { return KindFile }

// Kind gives [KindSymlink].
func (Symlink) Kind() Kind { return KindSymlink }

// Kind gives [KindCharDevice] or [KindBlockDevice].
func (d Device) Kind() Kind {
	if d.Block {
		return KindBlockDevice
	}
	return KindCharDevice
}

// Kind gives [KindFifo].
func (Fifo) Kind() Kind { return KindFifo }

// Kind gives [KindSocket].
func (Socket) Kind() Kind { return KindSocket }

// Attr gives the file's attributes.
func (f File) Attr() Attr { return f.Attributes }

// Attr gives the link's own attributes.
func (s Symlink) Attr() Attr { return s.Attributes }

// Attr gives the device's attributes.
func (d Device) Attr() Attr { return d.Attributes }

// Attr gives the fifo's attributes.
func (f Fifo) Attr() Attr { return f.Attributes }

// Attr gives the socket's attributes.
func (s Socket) Attr() Attr { return s.Attributes }

// WithAttr gives the same content with other attributes.
func (f File) WithAttr(a Attr) Entry { f.Attributes = a; return f }

// WithAttr gives the same target with other attributes; the mode stays 0777.
func (s Symlink) WithAttr(a Attr) Entry { a.Mode = 0o777; s.Attributes = a; return s }

// WithAttr gives the same device with other attributes.
func (d Device) WithAttr(a Attr) Entry { d.Attributes = a; return d }

// WithAttr gives a fifo with other attributes.
func (f Fifo) WithAttr(a Attr) Entry { f.Attributes = a; return f }

// WithAttr gives a socket with other attributes.
func (s Socket) WithAttr(a Attr) Entry { s.Attributes = a; return s }

// normal gives e in the one form that it is written down in; an error tells of
// values that no file system has.
func normal(e Entry) (Entry, error) {
	if err := e.Attr().check(); err != nil {
		return nil, err
	}
	switch v := e.(type) {
	case Symlink:
		if v.Attributes.Mode != 0o777 {
			return v.WithAttr(v.Attributes), nil
		}
	case File:
		if v.Size < 0 {
			return nil, fmt.Errorf("a file of %d bytes cannot be", v.Size)
		}
		if v.Size == 0 && v.Content != (digest.Digest{}) {
			v.Content = digest.Digest{}
			return v, nil
		}
	}
	return e, nil
}

func (File) entry()    {}
func (Symlink) entry() {}
func (Device) entry()  {}
func (Fifo) entry()    {}
func (Socket) entry()  {}
