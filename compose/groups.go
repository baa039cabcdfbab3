package compose

import (
	"context"
	"iter"
	"path"
	"slices"

	"github.com/inlaybuild/inlay/tree"
)

// groups is the hardlink groups of a source directory that the copy has not
// looked into yet. The zero groups is those of a directory that is copied alone.
type groups struct {
	above tree.LinkView // of its parent
	name  string
	own   *tree.LinkView // of the directory itself, when it is known
}

// outside gives names at and below the directory of which there may be others
// elsewhere: grafting the directory brings all other groups along.
func (g groups) outside() iter.Seq2[string, *tree.Link] {
	if g.own != nil {
		return g.own.Paths()
	}
	return g.above.PathsBelow(g.name)
}

// open gives the view of the directory, which is t.
func (g groups) open(ctx context.Context, t tree.Tree) (tree.LinkView, error) {
	if g.own != nil {
		return *g.own, nil
	}
	return g.above.Below(ctx, g.name, t)
}

// landing is where a name of a hardlink group of the source landed, and how
// many placements were made by then.
type landing struct {
	path string
	at   int
}

func (p *planner) land(l *tree.Link, to string) {
	p.links[l] = append(p.links[l], landing{to, len(p.placements)})
}

// landBelow lands all names of a directory that are one inode with a name in it:
// any of them may be the one that is left in the end.
func (p *planner) landBelow(l *tree.Link, t tree.Tree, name, to string) error {
	names, err := t.LinkGroup(p.ctx, name)
	for _, n := range names {
		p.land(l, path.Join(to, n))
	}
	return err
}

// link makes one inode of the names that were one in the source and are still
// what they were placed as.
func (p *planner) link() {
	var last map[string]int
	if p.aliased && len(p.links) > 0 {
		last = p.lastGrafts()
	}
	for _, ls := range p.links {
		var g []string
		for _, l := range ls {
			if !covered(l, last) {
				g = append(g, l.path)
			}
		}
		slices.Sort(g)
		if g = slices.Compact(g); len(g) > 1 {
			p.draft.Link(g...)
		}
	}
}

// lastGrafts gives, for each path that something took the place of, the last
// placement that did.
func (p *planner) lastGrafts() map[string]int {
	last := map[string]int{}
	for i, pl := range p.placements {
		if pl.Action == Graft || pl.Action == MakeDirectory {
			last[pl.To] = i
		}
	}
	return last
}

// covered tells whether a later placement took the place of what landed. That
// happens only where a symlink or several sources lead two paths to one.
func covered(l landing, last map[string]int) bool {
	if len(last) == 0 {
		return false
	}
	for at := l.path; at != "/"; at = path.Dir(at) {
		if i, ok := last[at]; ok && i > l.at {
			return true
		}
	}
	return false
}
