package tree

import (
	"context"
	"slices"
	"sort"
	"strings"
	"sync/atomic"

	"github.com/inlaybuild/inlay/digest"
)

// Hardlinks. Names of one inode are a group. A group is written down at every
// directory in which its names lie under two or more children: as one path for
// each of these children, namely the first of the group's names there. So a
// directory knows all groups among the names at and below it and nothing of
// those outside, a subtree keeps its groups when it is taken out or put
// somewhere else, and a group has only one form. "First" is by [ComparePaths].

// group is the paths of one group at one directory, relative to it, in order;
// at least two.
type group []string

// linkList is the groups of one directory in order of their first paths.
type linkList struct {
	source Source
	groups atomic.Pointer[[]group]
	byPath atomic.Pointer[linkIndex] // when it was asked for
	dig    atomic.Pointer[digest.Digest]
	home   atomic.Pointer[Source]
}

func newLinks(groups []group) *linkList {
	if len(groups) == 0 {
		return nil
	}
	slices.SortFunc(groups, func(a, b group) int { return ComparePaths(a[0], b[0]) })
	l := &linkList{}
	l.groups.Store(&groups)
	return l
}

func (l *linkList) load(ctx context.Context) ([]group, error) {
	if l == nil {
		return nil, nil
	}
	if g := l.groups.Load(); g != nil {
		return *g, nil
	}
	enc, err := readNode(ctx, l.source, *l.dig.Load())
	if err != nil {
		return nil, err
	}
	groups, err := decodeLinks(enc)
	if err != nil {
		return nil, err
	}
	l.groups.CompareAndSwap(nil, &groups)
	return *l.groups.Load(), nil
}

// known gives the groups of a list that was loaded or made here.
func (l *linkList) known() []group {
	if l == nil {
		return nil
	}
	return *l.groups.Load()
}

// linkIndex finds groups: by path the index of the group, and by a directory's
// path with a slash at its end whether there are any below it.
type linkIndex struct {
	group map[string]int
	below map[string]bool
}

// index gives the index of a list that known can give.
func (l *linkList) index() *linkIndex {
	if l == nil {
		return &linkIndex{}
	}
	if m := l.byPath.Load(); m != nil {
		return m
	}
	m := &linkIndex{group: map[string]int{}, below: map[string]bool{}}
	for i, g := range l.known() {
		for _, p := range g {
			m.group[p] = i
			for at := strings.LastIndexByte(p, '/'); at > 0 && !m.below[p[:at+1]]; at = strings.LastIndexByte(p[:at], '/') {
				m.below[p[:at+1]] = true
			}
		}
	}
	l.byPath.Store(m)
	return m
}

// touchedBy tells whether moves concern a group of the list.
func (l *linkList) touchedBy(moves []move) bool {
	x := l.index()
	for _, m := range moves {
		if strings.HasSuffix(m.from, "/") {
			if x.below[m.from] {
				return true
			}
			continue
		}
		_, from := x.group[m.from]
		_, to := x.group[m.to]
		if from || to {
			return true
		}
	}
	return false
}

func (l *linkList) digest() digest.Digest {
	if d := l.dig.Load(); d != nil {
		return *d
	}
	d := digest.Of(encodeLinks(l.known()))
	l.dig.Store(&d)
	return d
}

func sameLinks(a, b *linkList) bool {
	return a == b || a != nil && b != nil && a.digest() == b.digest()
}

// move says that the first path of a group under some directory is another one
// now, or that the group has none left there: to is "". A path from that ends
// in a slash stands for all paths below it.
type move struct{ from, to string }

// linkEditor changes the groups of one directory. A path that is in no group
// stands for a group of one, so that all changes are unions and removals.
type linkEditor struct {
	groups []*linkGroup
	of     map[string]*linkGroup
}

type linkGroup struct {
	paths []string
	heads []string // paths that the directory above may know the group by
}

func editLinks(groups []group) *linkEditor {
	e := &linkEditor{of: map[string]*linkGroup{}}
	for _, g := range groups {
		e.add(&linkGroup{paths: slices.Clone(g), heads: []string{g[0]}})
	}
	return e
}

func (e *linkEditor) add(g *linkGroup) *linkGroup {
	e.groups = append(e.groups, g)
	for _, p := range g.paths {
		e.of[p] = g
	}
	return g
}

func (e *linkEditor) get(p string) *linkGroup {
	if g, ok := e.of[p]; ok {
		return g
	}
	return e.add(&linkGroup{paths: []string{p}, heads: []string{p}})
}

func (e *linkEditor) unite(g, h *linkGroup) *linkGroup {
	if g == h {
		return g
	}
	if len(g.paths) < len(h.paths) {
		g, h = h, g
	}
	for _, p := range h.paths {
		e.of[p] = g
	}
	g.paths = append(g.paths, h.paths...)
	g.heads = append(g.heads, h.heads...)
	*h = linkGroup{}
	return g
}

func (e *linkEditor) remove(p string) {
	g := e.get(p)
	delete(e.of, p)
	i := slices.Index(g.paths, p)
	g.paths = slices.Delete(g.paths, i, i+1)
}

// apply carries out what happened to groups below the directory. Moves that
// name one path come before those that name all below a path: it takes up what
// they left behind.
func (e *linkEditor) apply(moves []move) (up []move) {
	for _, m := range moves {
		if strings.HasSuffix(m.from, "/") {
			up = append(up, m)
			continue
		}
		g := e.get(m.from)
		e.remove(m.from)
		if m.to != "" {
			e.unite(g, e.get(m.to))
		}
	}
	if len(up) == 0 {
		return nil
	}
	var gone []string
	for p := range e.of {
		if slices.ContainsFunc(up, func(m move) bool { return strings.HasPrefix(p, m.from) }) {
			gone = append(gone, p)
		}
	}
	for _, p := range gone {
		e.remove(p)
	}
	return up
}

// first gives the first path of the group that p is in.
func (e *linkEditor) first(p string) string {
	return slices.MinFunc(e.of[p].paths, ComparePaths)
}

// finish gives the groups that are left, and what the directory above must know
// of those that changed.
func (e *linkEditor) finish() (*linkList, []move) {
	var kept []group
	var up []move
	for _, g := range e.groups {
		slices.SortFunc(g.paths, ComparePaths)
		first := ""
		if len(g.paths) > 0 {
			first = g.paths[0]
		}
		if len(g.paths) > 1 {
			kept = append(kept, g.paths)
		}
		for _, h := range g.heads {
			if h != first {
				up = append(up, move{h, first})
			}
		}
	}
	return newLinks(kept), up
}

// link makes one group of each list of paths, which lie at or below t and are
// clean and relative; each list has the whole of the groups that it touches. It gives the first path of each group, and what the
// directory above must know of groups that were there.
func (t Tree) link(ctx context.Context, groups [][]string) (Tree, []string, []move, error) {
	below := map[string][]int{} // child to the groups with paths below it
	paths := make([][]string, len(groups))
	sub := map[string][][]string{}
	for i, g := range groups {
		for _, p := range g {
			name, rest, deeper := strings.Cut(p, "/")
			if !deeper {
				paths[i] = append(paths[i], name)
				continue
			}
			at := below[name]
			if n := len(at); n == 0 || at[n-1] != i {
				below[name] = append(at, i)
				sub[name] = append(sub[name], nil)
			}
			n := len(sub[name]) - 1
			sub[name][n] = append(sub[name][n], rest)
		}
	}
	var changes []change
	var moves []move
	names := make([]string, 0, len(sub))
	for name := range sub {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		e, _, err := t.Get(ctx, name)
		if err != nil {
			return t, nil, nil, err
		}
		child, ok := e.(Tree)
		if !ok {
			return t, nil, nil, pathError("link", name, ErrNotDirectory)
		}
		linked, firsts, up, err := child.link(ctx, sub[name])
		if err != nil {
			return t, nil, nil, err
		}
		for k, i := range below[name] {
			paths[i] = append(paths[i], name+"/"+firsts[k])
		}
		if !sameLinks(linked.links, child.links) || linked.list != child.list {
			changes = append(changes, change{name, linked})
		}
		for _, m := range up {
			moves = append(moves, m.under(name))
		}
	}
	old, err := t.links.load(ctx)
	if err != nil {
		return t, nil, nil, err
	}
	e := editLinks(old)
	up := e.apply(moves)
	for _, ps := range paths {
		g := e.get(ps[0])
		for _, p := range ps[1:] {
			g = e.unite(g, e.get(p))
		}
	}
	firsts := make([]string, len(groups))
	for i, ps := range paths {
		firsts[i] = e.first(ps[0])
	}
	var more []move
	t.links, more = e.finish()
	if len(changes) > 0 {
		if t.list, err = t.list.edit(ctx, changes); err != nil {
			return t, nil, nil, err
		}
	}
	return t, firsts, append(up, more...), nil
}

// under gives the move as the directory above name sees it.
func (m move) under(name string) move {
	m.from = name + "/" + m.from
	if m.to != "" {
		m.to = name + "/" + m.to
	}
	return m
}
