package layer

import (
	"strings"

	"github.com/inlaybuild/inlay/tree"
)

// node is what a layer says of one name, while it is being read.
type node struct {
	state   state
	removed bool             // there is a whiteout of the name
	opaque  bool             // of a directory: there is an opaque marker in it
	attr    *tree.Attr       // of a directory: nil when it is only implied
	kids    map[string]*node // of a directory
	inode   *inode           // of what is not a directory
}

type state uint8

const (
	absent    state = iota // nothing, or only a whiteout
	directory              // with an entry, or implied
	other                  // file, symlink, device, fifo, or hardlink to one
)

// inode is what is not a directory: one, however many names it has.
type inode struct {
	entry tree.Entry // of a file: nil until its body was kept
	links *links     // nil for nearly all
}

// links is what is known of an inode that may have several names.
type links struct {
	names []string // rooted paths, in the end

	// A hardlink to a name that the layer did not have yet:
	to       []string // the names of the target; nil for all others
	header   string   // the hardlink's own name in the tar
	resolved *inode   // what it is, in the end
	waiting  bool     // being resolved
}

// linked says that the inode may have several names.
func (i *inode) linked() *links {
	if i.links == nil {
		i.links = &links{}
	}
	return i.links
}

// child gives the node of a name in a directory, made when it is missing.
func (n *node) child(name string) *node {
	if k := n.kids[name]; k != nil {
		return k
	}
	if n.kids == nil {
		n.kids = map[string]*node{}
	}
	k := &node{}
	n.kids[strings.Clone(name)] = k
	return k
}

// putDirectory makes the name stand for a directory; nil attributes leave those
// that it has.
func (n *node) putDirectory(a *tree.Attr) {
	n.state, n.inode = directory, nil
	if a != nil {
		n.attr = a
	}
}

// put makes the name stand for something that is not a directory.
func (n *node) put(i *inode) {
	*n = node{state: other, removed: n.removed, inode: i}
}

// find gives the node that names lead to from n. When the layer says nothing of
// it, it tells whether the layers below may have it.
func (n *node) find(names []string) (found *node, below bool) {
	for _, name := range names {
		if n.state != directory {
			return nil, false
		}
		k := n.kids[name]
		if k == nil || k.state == absent && !k.removed {
			return nil, !n.opaque && !n.removed
		}
		n = k
	}
	return n, false
}
