package compose

import (
	"strings"

	"github.com/inlaybuild/inlay/tree"
)

// enough is how many names a source directory must have for it to be worth
// looking at the destination's names instead.
const enough = 64

// mergeWide merges a directory of many names into one of fewer by looking at the
// latter's names alone; done tells whether it did. It may only do so where the
// order of the names does not matter: where the copy meets no symlink that it
// would follow.
func (p *planner) mergeWide(at spot, from string, t tree.Tree, links tree.LinkView) (done bool, err error) {
	base, pristine := at.dir.Base()
	if !pristine {
		return false, nil
	}
	if n, err := t.Names(p.ctx); err != nil || n < p.wide {
		return false, err
	} else if few, err := base.Names(p.ctx); err != nil || n < 2*few {
		return false, err
	}
	if !p.o.Overlay {
		meets, err := p.meetsLink(base, t)
		if meets || err != nil {
			return false, err
		}
	}
	kept := map[string]tree.Entry{}
	var names []string
	for c, err := range base.All(p.ctx) {
		if err != nil {
			return false, err
		}
		e, ok, err := t.Get(p.ctx, c.Name)
		if err != nil {
			return false, err
		}
		if ok {
			names = append(names, c.Name)
			kept[c.Name] = e
		}
	}
	for rest, l := range links.Paths() {
		name, below, _ := strings.Cut(rest, "/")
		if kept[name] != nil {
			continue
		}
		e, _, err := t.Get(p.ctx, name)
		if err != nil {
			return false, err
		}
		if sub, isTree := e.(tree.Tree); !isTree {
			p.land(l, at.child(name))
		} else if err := p.landBelow(l, sub, below, at.child(name)); err != nil {
			return false, err
		}
	}
	p.note(Placement{Action: Fill, From: from, To: at.path, Entry: t})
	if err := at.dir.Fill(p.ctx, t); err != nil {
		return false, err
	}
	for _, name := range names {
		if err := p.mergeChild(at, from, tree.Child{Name: name, Entry: kept[name]}, links); err != nil {
			return false, err
		}
	}
	return true, nil
}

// meetsLink tells whether a directory of the source would meet a symlink.
func (p *planner) meetsLink(base, t tree.Tree) (bool, error) {
	few, many := base, t
	if few.Len() > many.Len() {
		few, many = many, few
	}
	for c, err := range few.All(p.ctx) {
		if err != nil {
			return false, err
		}
		other, ok, err := many.Get(p.ctx, c.Name)
		if err != nil {
			return false, err
		}
		if !ok {
			continue
		}
		d, s := c.Entry, other
		if few != base {
			d, s = s, d
		}
		sub, isTree := s.(tree.Tree)
		if !isTree {
			continue
		}
		if d.Kind() == tree.KindSymlink {
			return true, nil
		}
		if below, ok := d.(tree.Tree); ok {
			if meets, err := p.meetsLink(below, sub); meets || err != nil {
				return meets, err
			}
		}
	}
	return false, nil
}
