package tree

import (
	"context"
	"iter"
	"slices"
	"strings"
)

// Item is one entry that a walk meets.
type Item struct {
	Path  string // rooted and clean; "/" for the root of the walk
	Entry Entry
	Link  *Link // the hardlink group of the name; nil for a name of its own
}

// Link is a hardlink group that a walk met a name of.
type Link struct {
	First string // the path of the first name of the group
	Names int    // how many names of it the walk has met so far
}

// WalkOptions says what a walk passes by.
type WalkOptions struct {
	// Prune tells whether to pass by what a directory holds. Nil never does.
	Prune func(Item) bool
}

// Walk gives t itself and all entries below it, a directory before what it
// holds, names in bytewise order. Names of one inode get the same Link, when
// both are met. It ends with an error when a part of the tree cannot be loaded.
func Walk(ctx context.Context, t Tree, o WalkOptions) iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		w := &walker{ctx: ctx, o: o, yield: yield}
		root := Item{Path: "/", Entry: t}
		if yield(root, nil) && (o.Prune == nil || !o.Prune(root)) {
			w.dir(t, "/", nil)
		}
	}
}

type walker struct {
	ctx   context.Context // of the one call of Walk that made it
	o     WalkOptions
	yield func(Item, error) bool
}

// dir walks what t holds; links is the groups of paths below t, as seen from t.
func (w *walker) dir(t Tree, prefix string, links map[string]*Link) bool {
	links, err := joinLinks(w.ctx, t, links)
	if err != nil {
		w.yield(Item{}, err)
		return false
	}
	below := linksByChild(links)
	for c, err := range t.All(w.ctx) {
		if err == nil {
			err = w.ctx.Err()
		}
		if err != nil {
			w.yield(Item{}, err)
			return false
		}
		it := Item{Path: prefix + c.Name, Entry: c.Entry, Link: links[c.Name]}
		if it.Link != nil {
			if it.Link.Names == 0 {
				it.Link.First = it.Path
			}
			it.Link.Names++
		}
		if !w.yield(it, nil) {
			return false
		}
		sub, ok := c.Entry.(Tree)
		if !ok || w.o.Prune != nil && w.o.Prune(it) {
			continue
		}
		if !w.dir(sub, it.Path+"/", below[c.Name]) {
			return false
		}
	}
	return true
}

// joinLinks adds t's own groups to those that it inherits.
func joinLinks(ctx context.Context, t Tree, inherited map[string]*Link) (map[string]*Link, error) {
	groups, err := t.links.load(ctx)
	if err != nil || len(groups) == 0 {
		return inherited, err
	}
	if inherited == nil {
		inherited = map[string]*Link{}
	}
	for _, g := range groups {
		link := inherited[g[0]]
		if link == nil {
			link = &Link{}
		}
		for _, p := range g {
			inherited[p] = link
		}
	}
	return inherited, nil
}

// linksByChild sorts the paths that lie below a child under its name.
func linksByChild(links map[string]*Link) map[string]map[string]*Link {
	var below map[string]map[string]*Link
	for p, l := range links {
		name, rest, deeper := strings.Cut(p, "/")
		if !deeper {
			continue
		}
		if below == nil {
			below = map[string]map[string]*Link{}
		}
		if below[name] == nil {
			below[name] = map[string]*Link{}
		}
		below[name][rest] = l
	}
	return below
}

// Links gives the hardlink groups at and below t: the rooted paths of each, in
// the order of [ComparePaths], groups in the order of their first paths. It
// costs the directories that lead to them.
func (t Tree) Links(ctx context.Context) ([][]string, error) {
	if t.links == nil && t.Count() == t.Len() {
		return nil, nil
	}
	found := map[*Link][]string{}
	for it, err := range Walk(ctx, t, WalkOptions{}) {
		if err != nil {
			return nil, err
		}
		if it.Link != nil {
			found[it.Link] = append(found[it.Link], it.Path)
		}
	}
	groups := make([][]string, 0, len(found))
	for _, g := range found {
		groups = append(groups, g)
	}
	slices.SortFunc(groups, func(a, b []string) int { return ComparePaths(a[0], b[0]) })
	return groups, nil
}
