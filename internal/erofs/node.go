package erofs

import (
	"context"
	"iter"

	"github.com/inlaybuild/inlay/tree"
)

// Node is one name of an image.
type Node struct {
	// Path is rooted and clean; "/" for the root.
	Path string
	// Entry is what the name stands for. Of a [tree.Tree] only the attributes
	// are used: what it holds are nodes of their own. Nil is a whiteout.
	Entry tree.Entry
	// Link is the same for all names of one inode, and nil for a name of its
	// own.
	Link *tree.Link
	// Opaque says that a directory hides what lower layers have in it.
	Opaque bool
}

// FromTree gives the nodes of a whole tree.
func FromTree(ctx context.Context, t tree.Tree) iter.Seq2[Node, error] {
	return func(yield func(Node, error) bool) {
		for it, err := range tree.Walk(ctx, t, tree.WalkOptions{}) {
			if !yield(Node{Path: it.Path, Entry: it.Entry, Link: it.Link}, err) || err != nil {
				return
			}
		}
	}
}
