package tree

import (
	"context"
	"slices"
	"strings"
)

// group gives all names at and below t that are one inode with the name at p,
// itself among them. Paths are relative to t. It costs the directories that
// lead to them.
func (t Tree) group(ctx context.Context, p string) ([]string, error) {
	name, rest, deeper := strings.Cut(p, "/")
	own := []string{name}
	if deeper {
		var err error
		if own, err = t.groupBelow(ctx, name, rest); err != nil {
			return nil, err
		}
	}
	groups, err := t.links.load(ctx)
	if err != nil {
		return nil, err
	}
	first := slices.MinFunc(own, ComparePaths)
	i, ok := t.links.index().group[first]
	if !ok {
		return own, nil
	}
	for _, q := range groups[i] {
		if q == first {
			continue
		}
		name, rest, deeper := strings.Cut(q, "/")
		if !deeper {
			own = append(own, q)
			continue
		}
		more, err := t.groupBelow(ctx, name, rest)
		if err != nil {
			return nil, err
		}
		own = append(own, more...)
	}
	return own, nil
}

func (t Tree) groupBelow(ctx context.Context, name, rest string) ([]string, error) {
	e, _, err := t.Get(ctx, name)
	if err != nil {
		return nil, err
	}
	sub, ok := e.(Tree)
	if !ok {
		return nil, pathError("link", name, ErrNotDirectory)
	}
	g, err := sub.group(ctx, rest)
	for i := range g {
		g[i] = name + "/" + g[i]
	}
	return g, err
}

// LinkGroup gives the rooted paths of all names that are one inode with the
// name at p, itself among them, in the order of [ComparePaths].
func (t Tree) LinkGroup(ctx context.Context, p string) ([]string, error) {
	g, err := t.group(ctx, strings.Trim(p, "/"))
	if err != nil {
		return nil, err
	}
	for i := range g {
		g[i] = "/" + g[i]
	}
	slices.SortFunc(g, ComparePaths)
	return g, nil
}

// wholeGroups adds to each group the names that are one inode with one of its
// names in t, and makes one of groups that share a name.
func (t Tree) wholeGroups(ctx context.Context, groups [][]string) ([][]string, error) {
	of := map[string]int{} // name to the index of its group
	var out [][]string
	for _, g := range groups {
		at := len(out)
		out = append(out, nil)
		for todo := slices.Clone(g); len(todo) > 0; {
			p := todo[0]
			todo = todo[1:]
			i, known := of[p]
			if !known {
				all, err := t.group(ctx, p)
				if err != nil {
					return nil, err
				}
				for _, q := range all {
					of[q] = at
				}
				out[at] = append(out[at], all...)
				continue
			}
			if i == at {
				continue
			}
			if len(out[i]) > len(out[at]) {
				i, at = at, i
			}
			for _, q := range out[i] {
				of[q] = at
			}
			out[at] = append(out[at], out[i]...)
			out[i] = nil
		}
	}
	return slices.DeleteFunc(out, func(g []string) bool { return len(g) < 2 }), nil
}
