package engine

import (
	"slices"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/tree"
)

// Placed says where a step put things: what it copied or merged, or what it
// showed to its process. A step has at most one, before it ends.
type Placed struct {
	Step int
	Placements
}

// Placements is where a step put things. It is bounded: a copy of 100,000 files
// has as many placements, most of which say nothing new.
type Placements struct {
	// List is what there is to know, in the order in which it was done; at most
	// [MaxPlacements], and those first that say something that is not to be
	// expected: see [Placement.Significant].
	List []Placement
	// More is how many placements are not in List.
	More int64
}

// MaxPlacements is the greatest number of placements that a step tells of, and
// maxUsual the greatest number of those that are as one would expect.
const (
	MaxPlacements = 1000
	maxUsual      = 50
)

// Mounted is the action of a placement that only a process saw, and that is not
// part of the step's tree.
const Mounted compose.Action = "mount"

// Placement is one decision on where something goes, as [compose.Placement] has
// it, but without the entries themselves; or where a mount of a process was.
type Placement struct {
	Action compose.Action
	Root   bool            // it is what was to be put itself, not what came along with it
	Asked  string          // the path that was asked for; "" where nobody did
	From   string          // path in the source; of a mount the name of its cache or secret
	To     string          // path in the result, free of symlinks
	Hops   []tree.Hop      // the symlinks that led from Asked to To
	Kind   tree.Kind       // of what was put, or emptied; 0 if something was taken away, and of a mount
	Count  int64           // entries below what was put, or in what was merged; negative if they were not counted
	Was    tree.Kind       // of what stood there and is gone; 0 if nothing was
	Gone   int64           // entries that went with it: itself, and those below a directory; negative if they were not counted
	Mount  graph.MountKind // of a mount
}

// Significant tells whether a placement says more than that something of a
// directory is where its directory is: roots of copies, symlinks that were
// followed, parents that were made, and all that was replaced by another kind,
// emptied or taken away.
func (p Placement) Significant() bool {
	return p.Root || len(p.Hops) > 0 || p.Was != 0 && p.Was != p.Kind ||
		p.Action != compose.Graft && p.Action != compose.MergeInto && p.Action != compose.Fill
}

// NewPlacements gives what there is to tell of the placements of a composition.
// It costs a look at each, and memory for those that it keeps.
func NewPlacements(all []compose.Placement) Placements {
	keep := choose(len(all), MaxPlacements, maxUsual, func(i int) bool { return placement(&all[i]).Significant() })
	out := Placements{List: make([]Placement, len(keep)), More: int64(len(all) - len(keep))}
	for i, at := range keep {
		out.List[i] = placement(&all[at])
	}
	return out
}

// First gives n of the placements, those first that are significant, in their
// order; the others are counted as More.
func (p Placements) First(n int) Placements {
	keep := choose(len(p.List), n, n, func(i int) bool { return p.List[i].Significant() })
	out := Placements{List: make([]Placement, len(keep)), More: p.More + int64(len(p.List)-len(keep))}
	for i, at := range keep {
		out.List[i] = p.List[at]
	}
	return out
}

// choose gives the indices of at most most of n things, in order: those that are
// significant, and if there is room some that are not.
func choose(n, most, usual int, significant func(int) bool) []int {
	keep := make([]int, 0, min(n, most))
	var rest []int
	for i := 0; i < n && len(keep) < most; i++ {
		switch {
		case significant(i):
			keep = append(keep, i)
		case len(rest) < usual:
			rest = append(rest, i)
		}
	}
	keep = append(keep, rest[:min(len(rest), most-len(keep))]...)
	slices.Sort(keep)
	return keep
}

func placement(p *compose.Placement) Placement {
	out := Placement{Action: p.Action, Root: p.Root, Asked: p.Asked, From: p.From, To: p.To, Hops: p.Hops, Gone: p.Gone}
	if p.Entry != nil {
		out.Kind = p.Entry.Kind()
	}
	if p.Replaced != nil {
		out.Was = p.Replaced.Kind()
	}
	if t, ok := p.Entry.(tree.Tree); ok && p.Action != compose.Clear {
		out.Count = t.Count()
	}
	return out
}
