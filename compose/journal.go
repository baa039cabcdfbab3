package compose

import (
	"context"
	"path"

	"github.com/inlaybuild/inlay/tree"
)

// journal is what is written down of a composition while it is carried out.
type journal struct {
	placements []Placement
	lost       []Replacement // not settled yet

	off    bool   // write nothing down
	prefix string // what comes before all paths: the directory that is composed; "" for the root
	root   bool   // the next placement is where a source lands itself
	asked  string // the path that led to the next placement with hops, or to the next root
}

// note writes down a placement that is carried out now.
func (j *journal) note(pl Placement) {
	if j.off {
		return
	}
	if j.prefix != "" {
		pl.To = path.Join(j.prefix, pl.To)
		if pl.From != "" {
			pl.From = path.Join(j.prefix, pl.From)
		}
	}
	switch pl.Action {
	case MakeDirectory:
	case Clear:
		pl.Asked, j.asked = j.asked, ""
	default:
		if j.root || len(pl.Hops) > 0 {
			pl.Root, pl.Asked = j.root, j.asked
		}
		j.root, j.asked = false, ""
	}
	if pl.Asked == "" && pl.Root {
		pl.Asked = pl.To
	}
	j.placements = append(j.placements, pl)
	j.lose(pl)
}

// lose writes down what a placement takes away, if that is more than an entry of
// the same kind.
func (j *journal) lose(pl Placement) {
	const dir = tree.KindDirectory
	switch {
	case pl.Action == Clear:
		j.lost = append(j.lost, Replacement{Path: pl.To, Was: dir, Now: dir, Entries: pl.Gone})
	case pl.Entry == nil || pl.Replaced == nil:
	case pl.Entry.Kind() != pl.Replaced.Kind():
		j.lost = append(j.lost, Replacement{Path: pl.To, Was: pl.Replaced.Kind(), Now: pl.Entry.Kind(), Entries: pl.Gone})
	case isDirectory(pl.Replaced): // whole, and not merged
		j.lost = append(j.lost, Replacement{Path: pl.To, Was: dir, Now: dir, Entries: max(pl.Gone-1, -1)})
	}
}

// gone gives how many entries go with what a name of a directory stands for: none
// when nobody wants to know, a negative number when it is not known.
func (j *journal) gone(ctx context.Context, dir *tree.Draft, name string, was tree.Entry) (int64, error) {
	if was == nil || j.off {
		return 0, nil
	}
	if !isDirectory(was) {
		return 1, nil
	}
	sub, _, err := dir.Dir(ctx, name)
	if err != nil {
		return 0, err
	}
	n, err := sub.Count(ctx)
	if n < 0 {
		return n, err
	}
	return 1 + n, err
}

// add writes down what another journal has, which came after.
func (j *journal) add(other journal) {
	j.placements = append(j.placements, other.placements...)
	j.lost = append(j.lost, other.lost...)
}

// settle gives the result of a composition whose tree is t: what was lost is
// held against what is there instead. It costs a look for each loss.
func (j *journal) settle(ctx context.Context, t tree.Tree) (Result, error) {
	r := Result{Tree: t, Placements: j.placements}
	for _, lost := range j.lost {
		e, err := t.Lookup(ctx, lost.Path)
		if err != nil && !tree.IsNotExist(err) {
			return Result{}, err
		}
		if err == nil {
			lost.Came = entries(e)
			if lost.Was == lost.Now && lost.Came > 0 {
				lost.Came--
			}
		}
		counted := lost.Came >= 0 && lost.Entries >= 0
		if lost.Was == lost.Now && counted && lost.Came >= lost.Entries {
			continue
		}
		r.Replaced = append(r.Replaced, lost)
	}
	return r, nil
}
