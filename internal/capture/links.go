package capture

import (
	"context"
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/tree"
)

// upperLinks finds which entries that look unchanged are unchanged: those whose
// inode has the names that it has in the base. And it finds the groups of names
// that are put.
func (m *merge) upperLinks(ctx context.Context) error {
	kids := map[*upperInode][]*deltaKid{}
	var order []*upperInode
	for _, k := range m.kept {
		if kids[k.node.inode] == nil {
			order = append(order, k.node.inode)
		}
		kids[k.node.inode] = append(kids[k.node.inode], k)
	}
	for _, in := range order {
		same, err := m.sameGroup(ctx, in)
		if err != nil {
			return err
		}
		if same {
			continue
		}
		for _, k := range kids[in] {
			k.kind = deltaPut
			m.put = append(m.put, k.node)
		}
	}
	done := map[*upperInode]bool{}
	for _, n := range m.put {
		if len(n.inode.nodes) < 2 || done[n.inode] {
			continue
		}
		done[n.inode] = true
		var paths []string
		for _, n := range n.inode.nodes {
			paths = append(paths, n.path())
		}
		slices.SortFunc(paths, tree.ComparePaths)
		m.links = append(m.links, paths)
	}
	return nil
}

// sameGroup tells whether an inode has the names that it has in the base.
func (m *merge) sameGroup(ctx context.Context, in *upperInode) (bool, error) {
	have := map[string]bool{}
	var one string
	for _, n := range in.nodes {
		at, ok := m.at[n]
		if !ok {
			return false, nil
		}
		have[at], one = true, at
	}
	g, err := m.base.LinkGroup(ctx, one)
	if err != nil {
		return false, err
	}
	if len(g) != len(have) {
		return false, nil
	}
	return !slices.ContainsFunc(g, func(p string) bool { return !have[p] }), nil
}

// baseLinks keeps together the names of inodes of the base of which some moved
// with a directory.
func (m *merge) baseLinks(ctx context.Context, top *delta) error {
	groups, err := m.base.Links(ctx)
	if err != nil {
		return err
	}
	for _, g := range groups {
		if !slices.ContainsFunc(g, m.isMoved) {
			continue
		}
		var stay, went []string
		for _, p := range g {
			if _, ok := shows(top, p); ok {
				stay = append(stay, p)
			}
			for _, d := range m.moved {
				if !inside(p, d.from) {
					continue
				}
				if to, ok := shows(d, p); ok {
					went = append(went, to)
				}
			}
		}
		if len(stay) == 0 {
			if len(went) > 1 {
				slices.SortFunc(went, tree.ComparePaths)
				m.links = append(m.links, slices.Compact(went))
			}
			continue
		}
		for _, p := range went {
			if err := m.hardlink(ctx, top, p, stay[0]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *merge) isMoved(p string) bool {
	return slices.ContainsFunc(m.moved, func(d *delta) bool { return inside(p, d.from) })
}

func inside(p, dir string) bool { return dir == "/" || strings.HasPrefix(p, dir+"/") }

// shows tells whether the file that the base has at p shows through d, and
// where in the mount.
func shows(d *delta, p string) (at string, ok bool) {
	rest := strings.TrimPrefix(strings.TrimPrefix(p, d.from), "/")
	for {
		name, more, deeper := strings.Cut(rest, "/")
		k := d.kids[name]
		if k == nil {
			return strings.TrimSuffix(d.path, "/") + "/" + rest, true
		}
		if !deeper {
			return d.child(name), k.kind == deltaKeep
		}
		if k.kind != deltaEnter || k.sub.replaces() {
			return "", false
		}
		d, rest = k.sub, more
	}
}

// hardlink makes the moved file at p in the mount another name of the inode at
// to, by saying so in the deltas that lead to it.
func (m *merge) hardlink(ctx context.Context, d *delta, p, to string) error {
	rest := strings.TrimPrefix(p, "/")
	for {
		name, more, deeper := strings.Cut(rest, "/")
		k := d.kids[name]
		if !deeper {
			d.kids[name] = &deltaKid{kind: deltaLink, to: to}
			return nil
		}
		if k == nil {
			e, _, err := d.base.Get(ctx, name)
			if err != nil {
				return pathError("capture", d.child(name), err)
			}
			t, ok := e.(tree.Tree)
			if !ok {
				return pathError("capture", d.child(name), ErrOverlay)
			}
			k = &deltaKid{kind: deltaEnter, over: t, sub: &delta{
				path: d.child(name), attr: t.Attr(), base: t, from: d.below(name), kids: map[string]*deltaKid{},
			}}
			d.kids[name] = k
		}
		d, rest = k.sub, more
	}
}
