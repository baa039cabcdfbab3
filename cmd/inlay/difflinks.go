package main

import (
	"context"
	"path"
	"slices"

	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/inlaybuild/inlay/tree"
)

// links finds the paths that both trees have and whose other names, of those that
// both have, are not the same. It costs the names of hardlinks in directories that
// differ.
func (c *comparison) links(a, b tree.Tree) error {
	was, now, err := c.groups(a, b)
	if err != nil {
		return err
	}
	listed := map[string]int{}
	for i, d := range c.found {
		listed[string(d.Path)] = i
	}
	for p := range was {
		if slices.Equal(was[p], now[p]) {
			continue
		}
		if i, ok := listed[p]; ok {
			c.found[i].What = append(c.found[i].What, "hardlinks")
			continue
		}
		e, err := b.Lookup(c.ctx, p)
		if err != nil {
			return err
		}
		c.found = append(c.found, difference{Change: "M", Path: show.Bytes(p), Kind: e.Kind().String(), What: []string{"hardlinks"}, was: e, now: e})
	}
	slices.SortStableFunc(c.found, func(x, y difference) int { return tree.ComparePaths(string(x.Path), string(y.Path)) })
	return nil
}

// candidates notes the names of hardlinks that a directory of one of the trees
// knows of.
func (c *comparison) candidates(at string, t tree.Tree) error {
	v, err := tree.NewLinkView(c.ctx, t)
	if err != nil {
		return err
	}
	for p := range v.Paths() {
		c.linked = append(c.linked, path.Join(at, p))
	}
	return nil
}

// groups gives, for each path of both trees that has another name in one of them,
// all of its names that both have, as they are in each.
func (c *comparison) groups(a, b tree.Tree) (inA, inB map[string][]string, err error) {
	names := map[string]bool{} // whether it is one of both
	for _, p := range c.linked {
		for _, t := range []tree.Tree{a, b} {
			g, err := linkGroup(c.ctx, t, p)
			if err != nil {
				return nil, nil, err
			}
			for _, q := range g {
				if names[q], err = inBoth(c.ctx, a, b, q); err != nil {
					return nil, nil, err
				}
			}
		}
	}
	inA, inB = map[string][]string{}, map[string][]string{}
	for p, both := range names {
		if !both {
			continue
		}
		for t, in := range map[tree.Tree]map[string][]string{a: inA, b: inB} {
			g, err := linkGroup(c.ctx, t, p)
			if err != nil {
				return nil, nil, err
			}
			in[p] = slices.DeleteFunc(g, func(q string) bool { return !names[q] })
			slices.Sort(in[p])
		}
	}
	return inA, inB, nil
}

// linkGroup gives a path and its other names; none if it is not there.
func linkGroup(ctx context.Context, t tree.Tree, p string) ([]string, error) {
	g, err := t.LinkGroup(ctx, p)
	if tree.IsNotExist(err) {
		return nil, nil
	}
	if !slices.Contains(g, p) {
		g = append(g, p)
	}
	return slices.Clone(g), err
}

// inBoth tells whether both trees have something other than a directory at a path.
func inBoth(ctx context.Context, a, b tree.Tree, p string) (bool, error) {
	for _, t := range []tree.Tree{a, b} {
		e, err := t.Lookup(ctx, p)
		if err != nil && !tree.IsNotExist(err) {
			return false, err
		}
		if err != nil || e.Kind() == tree.KindDirectory {
			return false, nil
		}
	}
	return true, nil
}
