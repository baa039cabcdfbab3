package tree

import (
	"context"
	"iter"
	"strings"
)

// LinkView shows the hardlink groups of a tree while it is walked, one
// directory after the other from the root down: names that get the same [Link]
// are names of one inode. Only directories that have groups cost anything.
//
// Of a group that goes into a directory that is not walked, a view knows one
// name, the first; [LinkView.Paths] has it.
type LinkView struct {
	links map[string]*Link            // by the path relative to the directory
	below map[string]map[string]*Link // those of deeper paths, by their child
}

// NewLinkView gives the view of t's own directory.
func NewLinkView(ctx context.Context, t Tree) (LinkView, error) {
	return LinkView{}.of(ctx, t, nil)
}

// Below gives the view of the directory sub, which is v's child of that name.
func (v LinkView) Below(ctx context.Context, name string, sub Tree) (LinkView, error) {
	return v.of(ctx, sub, v.below[name])
}

// Of gives the group of a child; nil when it has none. Groups that end in a
// child directory are not the directory's.
func (v LinkView) Of(name string) *Link { return v.links[name] }

// Paths gives what v knows of names at and below the directory: their paths,
// relative to it, and their groups, in no order.
func (v LinkView) Paths() iter.Seq2[string, *Link] {
	return func(yield func(string, *Link) bool) {
		for p, l := range v.links {
			if !yield(p, l) {
				return
			}
		}
	}
}

// PathsBelow gives what v knows of names below the child of that name, with
// paths relative to the child.
func (v LinkView) PathsBelow(name string) iter.Seq2[string, *Link] {
	return LinkView{links: v.below[name]}.Paths()
}

func (LinkView) of(ctx context.Context, t Tree, inherited map[string]*Link) (LinkView, error) {
	groups, err := t.links.load(ctx)
	if err != nil {
		return LinkView{}, err
	}
	v := LinkView{links: inherited}
	if v.links == nil && len(groups) > 0 {
		v.links = map[string]*Link{}
	}
	for _, g := range groups {
		link := v.links[g[0]]
		if link == nil {
			link = &Link{}
		}
		for _, p := range g {
			v.links[p] = link
		}
	}
	for p, l := range v.links {
		name, rest, deeper := strings.Cut(p, "/")
		if !deeper {
			continue
		}
		if v.below == nil {
			v.below = map[string]map[string]*Link{}
		}
		if v.below[name] == nil {
			v.below[name] = map[string]*Link{}
		}
		v.below[name][rest] = l
	}
	return v, nil
}

// LinkViewOf gives the view of t's own directory when more is known: known has
// groups that names at and below t are in, by the names' relative paths. If a
// group of t has names in it, it has them all.
func LinkViewOf(ctx context.Context, t Tree, known map[string]*Link) (LinkView, error) {
	return LinkView{}.of(ctx, t, known)
}
