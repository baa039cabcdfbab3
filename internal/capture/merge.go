package capture

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/tree"
)

// merge joins an upper directory with its base.
type merge struct {
	base  tree.Tree
	scan  *scan
	kept  []*deltaKid // entries that are as in the base, until their links are known
	at    map[*upperNode]string
	moved []*delta // directories that came from elsewhere

	links [][]string   // groups of paths that are put
	put   []*upperNode // entries that are put, whose bodies may be new
}

func (m *merge) run(ctx context.Context, root *upperNode, drop []Stub) (tree.ChangeSet, error) {
	m.at = map[*upperNode]string{}
	top := &delta{node: root, path: "/", from: "/", attr: root.attr, base: m.base}
	if err := m.dir(ctx, top); err != nil {
		return tree.ChangeSet{}, err
	}
	m.drop(top, drop)
	if err := m.upperLinks(ctx); err != nil {
		return tree.ChangeSet{}, err
	}
	if len(m.moved) > 0 {
		if err := m.baseLinks(ctx, top); err != nil {
			return tree.ChangeSet{}, err
		}
	}
	change, err := m.change(ctx, top)
	if err != nil || change == nil {
		return tree.ChangeSet{}, err
	}
	slices.SortFunc(m.links, func(a, b []string) int { return tree.ComparePaths(a[0], b[0]) })
	return tree.ChangeSet{Root: change, Links: m.links}, nil
}

// dir says what the upper directory d.node makes of what shows through.
func (m *merge) dir(ctx context.Context, d *delta) error {
	d.kids = make(map[string]*deltaKid, len(d.node.kids))
	for _, n := range d.node.kids {
		if err := ctx.Err(); err != nil {
			return err
		}
		var over tree.Entry
		if !d.without {
			e, ok, err := d.base.Get(ctx, n.name)
			if err != nil {
				return pathError("capture", d.child(n.name), err)
			}
			if ok {
				over = e
			}
		}
		kid, err := m.name(ctx, d, n, over)
		if err != nil {
			return err
		}
		if kid != nil {
			d.kids[n.name] = kid
		}
	}
	return nil
}

// name says what becomes of one name; nil when nothing does.
func (m *merge) name(ctx context.Context, d *delta, n *upperNode, over tree.Entry) (*deltaKid, error) {
	switch {
	case n.whiteout && over == nil:
		return nil, nil
	case n.whiteout:
		return &deltaKid{kind: deltaRemove, over: over}, nil
	case n.dir:
		sub, err := m.sub(ctx, d, n, over)
		return &deltaKid{kind: deltaEnter, sub: sub, over: over}, err
	}
	kid := &deltaKid{kind: deltaPut, entry: n.entry, node: n, over: over}
	if n.marks.metacopy {
		f, err := m.content(ctx, d, n)
		if err != nil {
			return nil, err
		}
		kid.entry = f
	}
	if over != nil && tree.Equal(kid.entry, over) {
		kid.kind = deltaKeep
		m.kept = append(m.kept, kid)
		m.at[n] = d.below(n.name)
	} else {
		m.put = append(m.put, n)
	}
	return kid, nil
}

// content gives a metacopy its bytes, which the base has.
func (m *merge) content(ctx context.Context, d *delta, n *upperNode) (tree.Entry, error) {
	f, ok := n.entry.(tree.File)
	if !ok {
		return n.entry, nil
	}
	e, err := m.origin(ctx, d, n)
	if err != nil {
		return nil, err
	}
	b, ok := e.(tree.File)
	if !ok {
		return nil, pathError("capture", d.child(n.name), fmt.Errorf("%w: the file's content is not there (redirect %q)", ErrOverlay, n.marks.redirect))
	}
	f.Size, f.Content = b.Size, b.Content
	return f, nil
}

// origin gives what the base has where the mark of a name leads; nil for
// nothing.
func (m *merge) origin(ctx context.Context, d *delta, n *upperNode) (tree.Entry, error) {
	at, ok := source(d, n)
	if !ok {
		return nil, nil
	}
	e, err := m.base.Lookup(ctx, at)
	if tree.IsNotExist(err) {
		return nil, nil
	}
	return e, err
}

// source gives where in the base a name comes from.
func source(d *delta, n *upperNode) (path string, ok bool) {
	r := n.marks.redirect
	switch {
	case strings.HasPrefix(r, "/"):
		return r, true
	case d.without:
		return "", false
	case r != "":
		return d.below(r), true
	}
	return d.below(n.name), true
}

// sub says what the upper directory makes of a directory in d.
func (m *merge) sub(ctx context.Context, d *delta, n *upperNode, over tree.Entry) (*delta, error) {
	sub := &delta{node: n, path: d.child(n.name), attr: n.attr, without: true}
	if !n.marks.opaque {
		e := over
		from := d.below(n.name)
		if n.marks.redirect != "" {
			var err error
			if e, err = m.origin(ctx, d, n); err != nil {
				return nil, err
			}
			from, _ = source(d, n)
		}
		if t, ok := e.(tree.Tree); ok {
			sub.without, sub.base, sub.from = false, t, from
			sub.moved = n.marks.redirect != "" && (d.without || from != d.below(n.name))
		}
	}
	if sub.moved {
		m.moved = append(m.moved, sub)
	}
	return sub, m.dir(ctx, sub)
}
