package capture

import (
	"context"

	"github.com/inlaybuild/inlay/tree"
)

// change gives the change of a directory that stays in its place; nil when
// nothing changes in it.
func (m *merge) change(ctx context.Context, d *delta) (*tree.DirChange, error) {
	out := &tree.DirChange{}
	if d.attr != d.base.Attr() {
		a := d.attr
		out.Attr = &a
	}
	for name, k := range d.kids {
		c, err := m.kid(ctx, k)
		if err != nil {
			return nil, err
		}
		if c != nil {
			out.Set(name, c)
		}
	}
	if out.Attr == nil && out.Len() == 0 {
		return nil, nil
	}
	return out, nil
}

// kid gives the change of a name in a directory that stays in its place.
func (m *merge) kid(ctx context.Context, k *deltaKid) (tree.Change, error) {
	switch k.kind {
	case deltaRemove:
		return tree.Remove{}, nil
	case deltaPut:
		return tree.Put{Entry: k.entry}, nil
	case deltaLink:
		return tree.Hardlink{To: k.to}, nil
	case deltaEnter:
		if !k.sub.replaces() {
			c, err := m.change(ctx, k.sub)
			if c == nil {
				return nil, err
			}
			return c, err
		}
		_, opaque := k.over.(tree.Tree)
		return m.whole(ctx, k.sub, opaque)
	}
	return nil, nil
}

// whole gives the change that puts a directory with all that it holds. Opaque
// says that the base has a directory there.
func (m *merge) whole(ctx context.Context, d *delta, opaque bool) (tree.Change, error) {
	if !d.without && len(d.kids) == 0 && !opaque {
		return tree.Put{Entry: d.base.With(d.attr)}, nil
	}
	a := d.attr
	out := &tree.DirChange{Attr: &a, Opaque: opaque}
	if !d.without {
		for c, err := range d.base.All(ctx) {
			if err != nil {
				return nil, pathError("capture", d.path, err)
			}
			if _, changed := d.kids[c.Name]; !changed {
				out.Set(c.Name, tree.Put{Entry: c.Entry})
			}
		}
	}
	for name, k := range d.kids {
		switch k.kind {
		case deltaPut:
			out.Set(name, tree.Put{Entry: k.entry})
		case deltaKeep:
			out.Set(name, tree.Put{Entry: k.over})
		case deltaLink:
			out.Set(name, tree.Hardlink{To: k.to})
		case deltaEnter:
			c, err := m.whole(ctx, k.sub, false)
			if err != nil {
				return nil, err
			}
			out.Set(name, c)
		}
	}
	return out, nil
}
