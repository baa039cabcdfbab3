//go:build linux

package checkout

import (
	"errors"

	"github.com/inlaybuild/inlay/internal/mount"
	"github.com/inlaybuild/inlay/tree"
)

// layer is one lower directory: a mounted image or a directory. Stacks share
// them; the last one that ends ends the layer.
type layer struct {
	refs  int          // under Roots.mu
	mount *mount.Mount // nil when it is a directory
	dir   string
	claim *claim // of the cached entry that it is; nil when it has none
}

func (l *layer) lower() mount.Layer {
	if l.mount != nil {
		return l.mount.Layer()
	}
	return mount.Layer{Dir: l.dir}
}

func (l *layer) close() error {
	return errors.Join(l.mount.Close(), l.claim.release())
}

// stack is layers that together show a tree.
type stack struct {
	tree   tree.Tree
	base   tree.Tree // what the lowest layer shows
	layers []*layer  // the uppermost first
	// hexed says that no delta may be stacked on it. See hasBlobName.
	hexed bool
	used  uint64 // when, by Roots.clock
}
