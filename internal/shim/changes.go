package shim

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strings"

	"github.com/inlaybuild/inlay/tree"
)

// Change is one thing that [Apply] does to a directory: a [Remove], [MakeDir],
// [Put], [Link], [SetAttr] or [Rename].
//
// Paths are rooted and clean, and go through directories alone: no symlink is
// followed. A name that is given to something new loses what stood there, with all
// below it.
type Change interface {
	change()
	check() error
}

// Changes is a list of them, carried out in order. After that each directory that
// a name was written to or taken from gets the attributes that the list says for its
// path, with MakeDir or SetAttr, whichever was last, its time of modification at
// last. A list that says none for such a directory is refused.
type Changes []Change

// Remove takes a name away, with all below it. That it is not there is no error.
type Remove struct{ Path string }

// MakeDir makes a directory. One that stands there is kept, with what it holds.
type MakeDir struct {
	Path string
	Attr tree.Attr
}

// Put makes a new entry that is no directory.
type Put struct {
	Path  string
	Entry tree.Entry
	From  Content // of a file that is not empty; else nil
}

// Link makes a name one more of the inode at another path. If it is one already,
// nothing is done.
type Link struct{ Path, To string }

// SetAttr replaces the attributes of what stands at a path, without touching its
// content. The root has a path, too.
type SetAttr struct {
	Path string
	Attr tree.Attr
}

// Rename gives what stands at a path another one, with all that it holds, its
// attributes and the hardlinks within it.
type Rename struct{ From, To string }

// Content is what a file holds: [Inline] or [At].
type Content interface{ content() }

// Inline is what a file holds, of at most [MaxInline] bytes.
type Inline []byte

// MaxInline is the greatest size of an [Inline].
const MaxInline = 1 << 20

// At is where a file of the same content stands.
type At struct {
	Source int    // the number of the source, from 0 on
	Path   string // rooted and clean, in the source; no symlink is followed
}

func (Remove) change()  {}
func (MakeDir) change() {}
func (Put) change()     {}
func (Link) change()    {}
func (SetAttr) change() {}
func (Rename) change()  {}

func (Inline) content() {}
func (At) content()     {}

var (
	errPath    = errors.New("want a rooted, clean path")
	errRoot    = errors.New("the root can only be given attributes")
	errOwner   = errors.New("no file can belong to the number 4294967295")
	errBelow   = errors.New("a directory cannot go below itself")
	errContent = errors.New("what it holds does not fit its size")
	errKind    = errors.New("want an entry that is no directory")
)

// checkPath tells whether a path is rooted and clean.
func checkPath(p string) error {
	if p == "/" {
		return nil
	}
	rest, ok := strings.CutPrefix(p, "/")
	if !ok {
		return &fs.PathError{Op: "change", Path: p, Err: errPath}
	}
	for name := range strings.SplitSeq(rest, "/") {
		if err := tree.CheckName(name); err != nil {
			return &fs.PathError{Op: "change", Path: p, Err: err}
		}
	}
	return nil
}

func checkNotRoot(p string) error {
	if p == "/" {
		return &fs.PathError{Op: "change", Path: p, Err: errRoot}
	}
	return checkPath(p)
}

// checkAttr tells of attributes that no file system has.
func checkAttr(p string, a tree.Attr) error {
	switch {
	case a.Mode > tree.ModeAll:
		return &fs.PathError{Op: "change", Path: p, Err: fmt.Errorf("mode %o: at most %o is possible", a.Mode, tree.ModeAll)}
	case a.ModTime.Nsec >= 1e9:
		return &fs.PathError{Op: "change", Path: p, Err: fmt.Errorf("%d nanoseconds are more than a second", a.ModTime.Nsec)}
	case a.UID == math.MaxUint32 || a.GID == math.MaxUint32:
		return &fs.PathError{Op: "change", Path: p, Err: errOwner}
	}
	return nil
}

func (c Remove) check() error { return checkNotRoot(c.Path) }

func (c MakeDir) check() error {
	if err := checkNotRoot(c.Path); err != nil {
		return err
	}
	return checkAttr(c.Path, c.Attr)
}

func (c SetAttr) check() error {
	if err := checkPath(c.Path); err != nil {
		return err
	}
	return checkAttr(c.Path, c.Attr)
}

func (c Link) check() error {
	if err := checkNotRoot(c.Path); err != nil {
		return err
	}
	return checkNotRoot(c.To)
}

func (c Rename) check() error {
	if err := checkNotRoot(c.From); err != nil {
		return err
	}
	if strings.HasPrefix(c.To, c.From+"/") {
		return &fs.PathError{Op: "rename", Path: c.From, Err: errBelow}
	}
	return checkNotRoot(c.To)
}

func (c Put) check() error {
	if err := checkNotRoot(c.Path); err != nil {
		return err
	}
	if c.Entry == nil || c.Entry.Kind() == tree.KindDirectory {
		return &fs.PathError{Op: "put", Path: c.Path, Err: errKind}
	}
	if err := checkAttr(c.Path, c.Entry.Attr()); err != nil {
		return err
	}
	if err := c.checkContent(); err != nil {
		return &fs.PathError{Op: "put", Path: c.Path, Err: err}
	}
	return nil
}

func (c Put) checkContent() error {
	size := int64(0)
	if f, ok := c.Entry.(tree.File); ok {
		size = f.Size
	}
	switch from := c.From.(type) {
	case nil:
		if size != 0 {
			return errContent
		}
	case Inline:
		if int64(len(from)) != size {
			return errContent
		}
		if size > MaxInline {
			return fmt.Errorf("%d bytes are too many for a list: put them into a source", size)
		}
	case At:
		if size <= 0 {
			return errContent
		}
		if from.Source < 0 || from.Source > math.MaxInt16 {
			return fmt.Errorf("source %d: there cannot be as many", from.Source)
		}
		return checkNotRoot(from.Path)
	}
	return nil
}
