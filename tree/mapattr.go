package tree

import "context"

// MapAttr gives t with the attributes of every entry, t itself among them, that
// f gives for it. Names, contents and hardlinks stay. It costs all of t. What f
// gives must follow from the entry alone, or hardlinks would fall apart.
func MapAttr(ctx context.Context, t Tree, f func(Entry) Attr) (Tree, error) {
	m := &attrMapper{ctx: ctx, f: f}
	return m.tree(t)
}

type attrMapper struct {
	ctx context.Context // of the one call of MapAttr that made it
	f   func(Entry) Attr
}

func (m *attrMapper) tree(t Tree) (Tree, error) {
	t.attr = m.f(t)
	if t.list == nil {
		return t, nil
	}
	l, err := m.list(t.list)
	t.list = l
	return t, err
}

func (m *attrMapper) list(l *list) (*list, error) {
	if err := m.ctx.Err(); err != nil {
		return nil, err
	}
	b, err := l.load(m.ctx)
	if err != nil {
		return nil, err
	}
	n := &body{level: b.level}
	for _, k := range b.kids {
		kid, err := m.list(k)
		if err != nil {
			return nil, err
		}
		n.kids = append(n.kids, kid)
	}
	for _, c := range b.children {
		if t, ok := c.Entry.(Tree); ok {
			if c.Entry, err = m.tree(t); err != nil {
				return nil, err
			}
		} else {
			c.Entry = c.Entry.WithAttr(m.f(c.Entry))
		}
		n.children = append(n.children, c)
	}
	return newList(n), nil
}
