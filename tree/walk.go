package tree

import (
	"context"
	"iter"
	"slices"
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
		if !yield(root, nil) || o.Prune != nil && o.Prune(root) {
			return
		}
		links, err := NewLinkView(ctx, t)
		if err != nil {
			yield(Item{}, err)
			return
		}
		w.dir(t, "/", links)
	}
}

type walker struct {
	ctx   context.Context // of the one call of Walk that made it
	o     WalkOptions
	yield func(Item, error) bool
}

// dir walks what t holds; links is the groups of paths below t.
func (w *walker) dir(t Tree, prefix string, links LinkView) bool {
	for c, err := range t.All(w.ctx) {
		if err == nil {
			err = w.ctx.Err()
		}
		if err != nil {
			w.yield(Item{}, err)
			return false
		}
		it := Item{Path: prefix + c.Name, Entry: c.Entry, Link: links.Of(c.Name)}
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
		below, err := links.Below(w.ctx, c.Name, sub)
		if err != nil {
			w.yield(Item{}, err)
			return false
		}
		if !w.dir(sub, it.Path+"/", below) {
			return false
		}
	}
	return true
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
