package treetest

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/tree"
)

// On gives what the layer makes of the tree below it: the rules of layers as a
// slow program of its own, to which nothing is known but paths. The error is of
// a layer that is none, or does not fit.
func (l Layer) On(lower Listing) (Listing, error) {
	m := &stacking{layer: map[string]*placed{"/": impliedDir("/")}, out: map[string]*placed{}}
	for _, i := range l {
		if err := m.entry(i); err != nil {
			return nil, err
		}
	}
	below := map[string]*placed{}
	for _, i := range lower {
		below[i.Path] = &placed{Item: i, inode: i.Path}
		if i.Same != "" {
			below[i.Path].inode = i.Same
		}
	}
	for p, i := range below {
		if !m.hides(p) {
			m.out[p] = i
		}
	}
	for p, i := range m.layer {
		to, err := m.resolve(i, below, 0)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", p, err)
		}
		to.Path = p
		m.out[p] = &to
	}
	return m.listing(), nil
}

// Apply gives the tree of all layers.
func (s Stack) Apply() (Listing, error) {
	var t Listing
	for n, l := range s {
		var err error
		if t, err = l.On(t); err != nil {
			return nil, fmt.Errorf("layer %d: %w", n+1, err)
		}
	}
	return t, nil
}

// stacking is one call of On.
type stacking struct {
	layer   map[string]*placed // what the layer has
	removed []string           // by whiteouts
	opaque  []string           // directories
	inodes  int
	out     map[string]*placed
}

// placed is an entry of a layer, or of the tree below.
type placed struct {
	Item
	inode   string  // names it, among those of the layer or of the tree below
	implied bool    // a directory without an entry
	target  *placed // what a hardlink is; nil when it leads to what comes later, or is below
}

func impliedDir(p string) *placed {
	return &placed{Item: Item{Path: p, Kind: tree.KindDirectory, Attr: defaults(tree.KindDirectory)}, implied: true}
}

func (m *stacking) entry(i Item) error {
	if i.Leftover() {
		return nil
	}
	for p := path.Dir(i.Path); p != "/"; p = path.Dir(p) {
		if o := m.layer[p]; o == nil {
			m.layer[p] = impliedDir(p)
		} else if o.Kind != tree.KindDirectory {
			return fmt.Errorf("%s lies below %s, which is no directory", i.Path, p)
		}
	}
	if p, ok := i.Whiteout(); ok {
		m.removed = append(m.removed, p)
		return nil
	}
	if p, ok := i.Opaque(); ok {
		m.opaque = append(m.opaque, p)
		return nil
	}
	m.inodes++
	n := &placed{Item: i, inode: fmt.Sprint("of the layer ", m.inodes)}
	if i.Kind != tree.KindDirectory {
		// It takes the place of what the layer had, with all that was said below it.
		beneath := func(p string) bool { return strings.HasPrefix(p, i.Path+"/") }
		for p := range m.layer {
			if beneath(p) {
				delete(m.layer, p)
			}
		}
		m.removed = slices.DeleteFunc(m.removed, beneath)
		m.opaque = slices.DeleteFunc(m.opaque, func(p string) bool { return p == i.Path || beneath(p) })
	}
	if i.Same != "" {
		if i.Same == i.Path && m.layer[i.Path] == nil {
			return fmt.Errorf("%s is a hardlink to itself", i.Path)
		}
		if n.target = m.layer[i.Same]; n.target != nil && n.target.Kind == tree.KindDirectory {
			return fmt.Errorf("%s is a hardlink to a directory", i.Path)
		}
	}
	m.layer[i.Path] = n
	return nil
}

// hides tells whether the layer takes the path away from the tree below.
func (m *stacking) hides(p string) bool {
	for at := p; at != "/"; at = path.Dir(at) {
		if slices.Contains(m.removed, at) || slices.Contains(m.opaque, path.Dir(at)) {
			return true
		}
		if o := m.layer[at]; at != p && o != nil && o.Kind != tree.KindDirectory {
			return true
		}
	}
	return false
}

// resolve gives what an entry of the layer is in the end.
func (m *stacking) resolve(i *placed, below map[string]*placed, depth int) (placed, error) {
	if i.Kind == tree.KindDirectory {
		out := *i
		if b := below[i.Path]; i.implied && b != nil && b.Kind == tree.KindDirectory && !m.hides(i.Path) {
			out.Attr = b.Attr
		}
		return out, nil
	}
	if i.Same == "" {
		return *i, nil
	}
	to := i.target
	if to == nil {
		to = m.layer[i.Same]
	}
	switch b := below[i.Same]; {
	case depth > 100 || to == i:
		return *i, fmt.Errorf("it is a hardlink to itself")
	case to != nil && to.Kind == tree.KindDirectory:
		return *i, fmt.Errorf("it is a hardlink to a directory")
	case to != nil:
		return m.resolve(to, below, depth+1)
	case b == nil || m.hides(i.Same):
		return *i, fmt.Errorf("it is a hardlink to %s, which is not there", i.Same)
	case b.Kind == tree.KindDirectory:
		return *i, fmt.Errorf("it is a hardlink to a directory")
	default:
		return *b, nil
	}
}

func (m *stacking) listing() Listing {
	var l Listing
	for p, i := range m.out {
		i.Item.Path, i.Same = p, ""
		l = append(l, i.Item)
	}
	first := map[string]string{}
	l.Sort()
	for n, i := range l {
		if inode := m.out[i.Path].inode; i.Kind == tree.KindDirectory {
			continue
		} else if first[inode] == "" {
			first[inode] = i.Path
		} else {
			l[n].Same = first[inode]
		}
	}
	return l
}
