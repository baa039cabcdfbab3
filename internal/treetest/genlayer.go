package treetest

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/tree"
)

// StackLimits say what generated stacks do not have.
type StackLimits struct {
	Limits
	NoLowerLinks bool // hardlinks to names of layers below
	// Tidy layers are as tools write them: an entry for every parent, before what
	// is in it, markers before other entries, targets before hardlinks, and no
	// name twice.
	Tidy bool
}

// Stack draws two to four layers, each of which fits on those below it: entries,
// parents with and without one, whiteouts and opaque markers before and behind
// what they may not touch, hardlinks, kinds that conflict, names twice.
func (s *Source) Stack(o StackLimits) Stack {
	var out Stack
	var lower Listing
	for range 2 + s.n(3) {
		l := s.Layer(lower, o)
		next, err := l.On(lower)
		if err != nil {
			continue // an empty layer would tell nothing
		}
		out, lower = append(out, l), next
	}
	return out.linked()
}

// Layer draws a layer on a tree. One in a few does not fit it.
func (s *Source) Layer(lower Listing, o StackLimits) Layer {
	o.Disk, o.NoWhite = true, true
	g := &layerGenerator{Source: s, o: o, lower: lower}
	g.fresh()
	if len(lower) > 0 {
		for range 1 + s.n(4) {
			g.change()
		}
	}
	if o.Tidy || s.one(2) {
		g.parents()
	}
	g.order()
	if !o.Tidy && s.one(4) {
		g.twice()
	}
	if s.one(20) {
		g.layer = append(g.layer, marker(pick(s, []string{"/.wh..wh.aufs", "/.wh..wh.orph"})))
	}
	return g.layer
}

type layerGenerator struct {
	*Source
	o     StackLimits
	lower Listing
	layer Layer
}

// tarred gives an item as a tar can hold it.
func tarred(i Item) Item {
	if i.Kind == tree.KindSocket {
		i.Kind = tree.KindFifo
	}
	return i
}

// fresh adds a tree of its own, some parents and maybe the root left out.
func (g *layerGenerator) fresh() {
	for _, i := range g.Listing(g.o.Limits) {
		if i.Kind == tree.KindDirectory && (i.Path == "/" && g.one(2) || g.one(4)) {
			continue
		}
		g.layer = append(g.layer, tarred(i))
	}
}

// change adds something that is about the tree below.
func (g *layerGenerator) change() {
	at := pick(g.Source, g.lower)
	if at.Path == "/" && g.n(4) > 0 {
		return
	}
	d, name := path.Split(at.Path)
	add := func(i Item) {
		if !slices.ContainsFunc(g.layer, func(o Item) bool { return o.Path == i.Path }) {
			g.layer = append(g.layer, tarred(i))
		}
	}
	gen := &generator{Source: g.Source, limits: g.o.Limits, items: map[string]int{}}
	switch k := g.n(10); {
	case k < 3 && at.Path != "/": // removed, and maybe made again
		add(marker(d + whiteoutPrefix + name))
		if g.one(3) {
			add(gen.leaf(at.Path))
		} else if g.one(3) {
			add(Item{Path: at.Path, Kind: tree.KindDirectory, Attr: gen.attr(tree.KindDirectory)})
		}
	case k < 5 && at.Kind == tree.KindDirectory: // emptied, with or without an entry
		add(marker(path.Join(at.Path, opaqueMarker)))
		if g.one(2) {
			at.Attr = gen.attr(at.Kind)
			add(at)
		}
		if g.one(2) {
			add(gen.leaf(path.Join(at.Path, gen.name())))
		}
	case k < 6: // a name below what is there, whatever that is
		add(gen.leaf(path.Join(at.Path, gen.name(), gen.name())))
	case k < 7 && at.Path != "/": // another kind
		if at.Kind == tree.KindDirectory {
			add(gen.leaf(at.Path))
		} else {
			add(Item{Path: at.Path, Kind: tree.KindDirectory, Attr: gen.attr(tree.KindDirectory)})
		}
	case k < 8 && at.Kind != tree.KindDirectory && !g.o.NoLowerLinks:
		at.Same = at.Path
		at.Path = path.Join("/", pick(g.Source, usualNames), gen.name())
		add(tarred(at))
	case k == 9: // other attributes, or the same again
		at.Same = ""
		if g.one(2) {
			at.Attr = gen.attr(at.Kind)
		}
		add(at)
	}
}

// parents adds entries for the parents that have none.
func (g *layerGenerator) parents() {
	gen := &generator{Source: g.Source, limits: g.o.Limits}
	for _, i := range slices.Clone(g.layer) {
		for p := path.Dir(i.Path); p != "/"; p = path.Dir(p) {
			if says := func(o Item) bool { return o.Path == p }; slices.ContainsFunc(g.layer, says) {
				continue
			}
			dir := Item{Path: p, Kind: tree.KindDirectory}
			if b := g.lower.Find(p); b != nil && b.Kind == tree.KindDirectory {
				dir.Attr = b.Attr
			} else {
				dir.Attr = gen.attr(tree.KindDirectory)
			}
			g.layer = append(Layer{dir}, g.layer...)
		}
	}
}

// order gives the entries an order that the specification allows, with targets
// before hardlinks to them in nearly all layers.
func (g *layerGenerator) order() {
	if g.o.Tidy {
		slices.SortStableFunc(g.layer, func(a, b Item) int {
			return cmp.Or(tree.ComparePaths(a.orderedBy(), b.orderedBy()), cmp.Compare(len(a.Path), len(b.Path)))
		})
	} else if g.one(2) {
		for n := range g.layer {
			m := n + g.n(min(len(g.layer)-n, 1000))
			g.layer[n], g.layer[m] = g.layer[m], g.layer[n]
		}
	}
	if !g.o.Tidy && g.one(12) {
		return
	}
	var links Layer
	g.layer = slices.DeleteFunc(g.layer, func(i Item) bool {
		if i.Same != "" {
			links = append(links, i)
		}
		return i.Same != ""
	})
	g.layer = append(g.layer, links...)
}

// orderedBy gives the path that a tidy layer puts the item at: a marker stands
// right behind its directory.
func (i Item) orderedBy() string {
	if i.Marker() {
		return path.Dir(i.Path)
	}
	return i.Path
}

// twice adds entries for names that the layer has already; the later wins.
func (g *layerGenerator) twice() {
	gen := &generator{Source: g.Source, limits: g.o.Limits, items: map[string]int{}}
	for range 1 + g.n(2) {
		if len(g.layer) == 0 {
			return
		}
		i := pick(g.Source, g.layer)
		switch {
		case i.Marker() || i.Path == "/":
			continue
		case g.one(3):
			i = Item{Path: i.Path, Kind: tree.KindDirectory, Attr: gen.attr(tree.KindDirectory)}
		case !g.below(i.Path):
			i = tarred(gen.leaf(i.Path))
		default:
			continue
		}
		g.layer = append(g.layer, i)
	}
}

// below tells whether the layer has something below the path.
func (g *layerGenerator) below(p string) bool {
	return slices.ContainsFunc(g.layer, func(i Item) bool { return strings.HasPrefix(i.Path, p+"/") }) && g.n(3) > 0
}

// Pair draws two trees that a layer can hold, the second in most cases the
// first with a few changes.
func (s *Source) Pair(o Limits) (was, now Listing) {
	o.Disk, o.NoWhite = true, true
	was, now = s.Listing(o), s.Listing(o)
	if s.n(4) > 0 {
		now = s.edited(was, o)
	}
	for _, l := range []Listing{was, now} {
		for n := range l {
			l[n] = tarred(l[n])
		}
	}
	return was, now
}
