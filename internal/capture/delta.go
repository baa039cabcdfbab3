package capture

import "github.com/inlaybuild/inlay/tree"

// delta is what an upper directory says of one directory of the mount.
type delta struct {
	node *upperNode // nil for one that only leads to hardlinks in a moved one
	path string     // in the mount
	attr tree.Attr

	// from is the directory of the base that shows through, and where it is in
	// the base; without is set when none does.
	without bool
	base    tree.Tree
	from    string

	moved bool // from is there by a redirect
	kids  map[string]*deltaKid
}

// deltaKid is what becomes of one name.
type deltaKid struct {
	kind  deltaKind
	entry tree.Entry // of keep and put: what the upper directory has
	node  *upperNode // of keep and put
	sub   *delta     // of enter
	to    string     // of link
	over  tree.Entry // what the base has there; nil for nothing
}

type deltaKind uint8

const (
	deltaRemove deltaKind = iota // it is gone
	deltaKeep                    // it was copied up and is what it was
	deltaPut
	deltaEnter // a directory
	deltaLink  // another name of an inode of the base
)

// replaces tells whether nothing shows through that the base has at the same
// place.
func (d *delta) replaces() bool { return d.moved || d.without }

func (d *delta) child(name string) string {
	if d.path == "/" {
		return "/" + name
	}
	return d.path + "/" + name
}

func (d *delta) below(name string) string {
	if d.from == "/" {
		return "/" + name
	}
	return d.from + "/" + name
}
