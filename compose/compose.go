// Package compose makes trees of trees.
//
//   - [Copy] puts a file or the contents of a directory into a tree, as a
//     process would that copies inside it, following the symlinks that it meets;
//     or, as an overlay, as unpacking a layer would.
//   - [Merge] lays trees over one another.
//   - [Diff] tells what makes one tree of another, [Apply] does it, [Count]
//     tells how many entries it is about.
//   - [Select] keeps the entries that match.
//
// Where a copy lands is decided here and nowhere else: a copy is planned as a
// list of [Placement] values, each saying which entry of the source stands at
// which path of the result, and carried out as it is planned. All of these cost
// what they touch: the depth of a path, the overlap of two directories; never
// the size of a tree.
package compose

import "github.com/inlaybuild/inlay/tree"

// Action is what a [Placement] does.
type Action string

// The actions of a [Placement].
const (
	// Graft puts an entry, a directory with all that it holds, at a path; what
	// stood there is gone.
	Graft Action = "graft"
	// MergeInto makes a directory that is there take the source directory's
	// attributes, if Attr says so; what the source directory holds has
	// placements of its own.
	MergeInto Action = "merge"
	// Fill grafts all names of the source directory that the directory at the
	// path does not have.
	Fill Action = "fill"
	// MakeDirectory makes a directory that the copy needs as a parent.
	MakeDirectory Action = "make-directory"
	// Clear empties a directory before the copy.
	Clear Action = "clear"
	// Take takes away what a change set removes.
	Take Action = "take"
)

// Placement is one decision of a copy, a merge or the applying of a change set.
type Placement struct {
	Action Action
	From   string // path in the source; "" for MakeDirectory, Clear and Take
	To     string // path in the result, free of symlinks

	// Root tells that it is where something that was to be copied lands itself,
	// not something that came along with it.
	Root bool
	// Asked is the path that was asked for, which led to To by Hops: of a Root,
	// and of a directory that meets a symlink to one. Otherwise it is "".
	Asked string

	// Entry is what is put; for MergeInto and Fill the source's directory, for
	// Clear the directory as it was, nil for Take.
	Entry tree.Entry
	// Attr is the attributes that a directory takes; nil if it keeps its own.
	Attr *tree.Attr
	// Hops is the symlinks of the destination that led to To.
	Hops []tree.Hop
	// Replaced is what stood at To and is gone; nil if nothing was. Of a directory
	// that was changed before, it is what that was at first.
	Replaced tree.Entry
	// Gone is how many entries went with Replaced: 1, and those below a directory
	// as it was then. For Clear it is those below alone. It is negative if they are not
	// counted: see [tree.View].
	Gone int64
}

// Replacement is something of the destination that is lost: an entry that one of
// another kind took the place of; or, with Was and Now both a directory, what a
// directory held that was emptied or replaced as a whole, and holds less now.
type Replacement struct {
	Path string
	Was  tree.Kind
	Now  tree.Kind
	// Entries is how many entries are gone: 1, and those below a directory, with
	// what the same copy had put there. Of a directory that still is one, those
	// below it alone.
	Entries int64
	// Came is how many entries are there instead, in the result, counted alike;
	// 0 where a later source took the place of all of it.
	Came int64
}
