package tree

import (
	"iter"
	"maps"
	"slices"
)

// ChangeSet is what makes one tree of another: names to put and names to
// remove. It maps one to one onto a layer of an image.
//
// The zero ChangeSet changes nothing.
type ChangeSet struct {
	// Root is what changes at the root. A nil Root changes nothing.
	Root *DirChange
	// Links is groups of rooted paths that the change set puts and that are
	// names of one inode. (A Put of a tree brings its own groups along.)
	Links [][]string
}

// IsEmpty tells whether applying c changes nothing whatever it is applied to.
func (c ChangeSet) IsEmpty() bool {
	return c.Root == nil || c.Root.Attr == nil && !c.Root.Opaque && len(c.Root.names) == 0
}

// Change is what happens to a name: [Remove], [Put], [Hardlink] or *[DirChange].
type Change interface{ change() }

// Remove takes the name away, with all below it. Where there is no such name it
// does nothing.
type Remove struct{}

// Put makes the name stand for Entry, replacing what it stood for. If Entry is a
// tree and a directory stands there, the tree is laid over it: its attributes
// win, its names win, other names stay. A symlink there is replaced.
type Put struct{ Entry Entry }

// Hardlink makes the name another name of the inode at a path that the change
// set itself does not put.
type Hardlink struct {
	To string // rooted and clean; no symlink is followed
}

// DirChange makes the name stand for a directory, and changes names in it. A
// directory that stands there is kept and changed; anything else is replaced by
// a directory without entries first, a symlink too.
type DirChange struct {
	// Attr replaces the directory's attributes. When nil they stay; a directory
	// that has to be made gets [Empty]'s.
	Attr *Attr
	// Opaque takes away all that a directory there held.
	Opaque bool

	names map[string]Change
}

// Set says what happens to a name in the directory.
func (d *DirChange) Set(name string, c Change) {
	if d.names == nil {
		d.names = map[string]Change{}
	}
	d.names[name] = c
}

// Get gives what happens to a name in the directory; nil when nothing does.
func (d *DirChange) Get(name string) Change { return d.names[name] }

// Forget says that nothing happens to a name in the directory.
func (d *DirChange) Forget(name string) { delete(d.names, name) }

// Len gives the number of names in the directory to which something happens.
func (d *DirChange) Len() int { return len(d.names) }

// All gives what happens to the directory's names, in bytewise order.
func (d *DirChange) All() iter.Seq2[string, Change] {
	return func(yield func(string, Change) bool) {
		for _, name := range slices.Sorted(maps.Keys(d.names)) {
			if !yield(name, d.names[name]) {
				return
			}
		}
	}
}

func (Remove) change()     {}
func (Put) change()        {}
func (Hardlink) change()   {}
func (*DirChange) change() {}
