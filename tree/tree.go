// Package tree has the central noun of Inlay: a directory as an immutable
// value.
//
//   - A [Tree] is a directory: its attributes and its entries by name. It is a
//     value: no operation changes one, and copying one costs nothing.
//   - An [Entry] is what a name stands for: a [File], a [Symlink], a [Device],
//     a [Fifo], a [Socket], or a Tree again. A Tree has no way to its parent,
//     so one that is taken out of another is sealed: it is its own root.
//   - A [Draft] is a tree that is being edited. It shares what it does not
//     change.
//   - A [ChangeSet] is the difference between two trees: what to put and what
//     to remove.
//
// A tree's digest depends on its attributes, its entries and its hardlinks
// alone, never on the way it was made. The names of a directory are kept in
// chunks whose bounds are chosen by the names themselves (see list.go), so that
// a changed name in a directory of 100,000 costs a few small chunks. Chunks are
// loaded when they are needed, from the [Source] that they were found in, and
// their digests are computed when they are first asked for.
//
// The encoded form is written out in codec.go, the form of hardlinks in
// links.go.
package tree

import (
	"context"
	"iter"

	"github.com/inlaybuild/inlay/digest"
)

// Tree is a directory: attributes and entries. Trees that have the same digest
// are the same directory; comparing two with == only tells whether they share
// memory.
type Tree struct {
	attr  Attr
	list  *list     // nil: no entries
	links *linkList // nil: no hardlinks
}

// Empty gives the directory that new file systems start from: no entries, mode
// 0755, owned by 0:0, modified at the epoch.
func Empty() Tree {
	return Tree{attr: Attr{Mode: 0o755}}
}

// Kind gives [KindDirectory].
func (t Tree) Kind() Kind { return KindDirectory }

// Attr gives the directory's own attributes.
func (t Tree) Attr() Attr { return t.attr }

// WithAttr gives the same entries in a directory with other attributes.
func (t Tree) WithAttr(a Attr) Entry {
	t.attr = a
	return t
}

// With gives the same entries in a directory with other attributes, as a Tree.
func (t Tree) With(a Attr) Tree {
	t.attr = a
	return t
}

func (t Tree) entry() {}

// Len gives the number of names in the directory itself. It costs nothing.
func (t Tree) Len() int64 {
	if t.list == nil {
		return 0
	}
	return t.list.names
}

// Count gives the number of names in the directory and in all below it; it is
// negative if that is not known, because a [View] is among them. It costs nothing.
func (t Tree) Count() int64 {
	if t.list == nil {
		return 0
	}
	return t.list.count
}

// Bytes gives the sum of the sizes of all files at and below the directory; a
// file with several names counts once for each. It costs nothing.
func (t Tree) Bytes() int64 {
	if t.list == nil {
		return 0
	}
	return t.list.bytes
}

// Get gives the entry of one name in the directory; ok is false when there is
// none. An error says that a part of the directory could not be loaded.
func (t Tree) Get(ctx context.Context, name string) (e Entry, ok bool, err error) {
	if t.list == nil {
		return nil, false, nil
	}
	return t.list.get(ctx, name)
}

// All gives the directory's own names in bytewise order. It ends with an error
// when a part of the directory cannot be loaded.
func (t Tree) All(ctx context.Context) iter.Seq2[Child, error] {
	return func(yield func(Child, error) bool) {
		if t.list != nil {
			t.list.all(ctx, yield)
		}
	}
}

// Child is one name of a directory and what it stands for.
type Child struct {
	Name  string
	Entry Entry
}

// Digest gives the digest of the tree: of its attributes, its entries and its
// hardlinks. The digests of chunks are computed once and kept; a tree in which
// a few names changed costs a few chunks.
func (t Tree) Digest() digest.Digest {
	return digest.Of(t.encode())
}

// SameEntries tells whether two trees have the same entries and hardlinks,
// whatever their own attributes.
func SameEntries(a, b Tree) bool {
	return sameList(a.list, b.list) && sameLinks(a.links, b.links)
}

// Equal tells whether two entries are the same: for directories, whether all
// that they hold is the same.
func Equal(a, b Entry) bool {
	x, isTree := a.(Tree)
	y, alsoTree := b.(Tree)
	if isTree && alsoTree {
		return x.attr == y.attr && SameEntries(x, y)
	}
	return isTree == alsoTree && a == b
}
