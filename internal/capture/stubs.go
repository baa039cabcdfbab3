package capture

import (
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/tree"
)

// drop takes the stubs out that are still empty, the deepest first.
func (m *merge) drop(top *delta, stubs []Stub) {
	paths := make([]string, 0, len(stubs))
	for _, s := range stubs {
		if p, err := tree.CleanPath(s.Path); err == nil && p != "/" {
			paths = append(paths, p)
		}
	}
	slices.SortFunc(paths, func(a, b string) int { return tree.ComparePaths(b, a) })
	var parents []*delta
	for _, p := range slices.Compact(paths) {
		if d := m.dropOne(top, p); d != nil {
			parents = append(parents, d)
		}
	}
	for _, d := range parents {
		d.restoreTime()
	}
}

// dropOne takes one stub out, and gives its parent; nil when there is none.
func (m *merge) dropOne(d *delta, p string) *delta {
	rest := p[1:]
	for {
		name, more, deeper := strings.Cut(rest, "/")
		k := d.kids[name]
		if k == nil {
			return nil
		}
		if !deeper {
			if !k.isStub() {
				return nil
			}
			m.put = slices.DeleteFunc(m.put, func(n *upperNode) bool { return n == k.node })
			delete(d.kids, name)
			return d
		}
		if k.kind != deltaEnter {
			return nil
		}
		d, rest = k.sub, more
	}
}

// isStub tells whether a name is new and empty.
func (k *deltaKid) isStub() bool {
	if k.over != nil {
		return false
	}
	if k.kind == deltaEnter {
		return k.sub.without && len(k.sub.kids) == 0
	}
	f, ok := k.entry.(tree.File)
	return ok && k.kind == deltaPut && f.Size == 0 && len(k.node.inode.nodes) == 1
}

// restoreTime gives a directory the base's time of modification, if that was
// changed by stubs alone.
func (d *delta) restoreTime() {
	if d.without {
		return
	}
	for _, k := range d.kids {
		if k.kind != deltaKeep && (k.kind != deltaEnter || k.sub.replaces()) {
			return
		}
	}
	d.attr.ModTime = d.base.Attr().ModTime
}
