package tree

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Draft is a directory that is being edited. It starts as a tree, shares with
// it all that is not changed, and ends as another one. A Draft and those of the
// directories below it are one thing: they are for one goroutine.
//
// A name that is put, replaced or removed leaves its hardlink group; the other
// names of the group stay one inode.
type Draft struct {
	base  Tree
	attr  Attr
	fill  Tree // has the names that are in neither base nor names
	names map[string]edited
	links [][]string
}

// edited is what became of a name: a directory being edited, an entry, or, with
// both nil, nothing.
type edited struct {
	dir   *Draft
	fresh bool // dir replaces what the base has under the name
	entry Entry
}

// NewDraft starts to edit t.
func NewDraft(t Tree) *Draft {
	return &Draft{base: t, attr: t.attr}
}

// Attr gives the directory's own attributes as they are now.
func (d *Draft) Attr() Attr { return d.attr }

// SetAttr changes the directory's own attributes.
func (d *Draft) SetAttr(a Attr) { d.attr = a }

// Get gives what a name stands for now; ok is false when it stands for nothing.
// For a directory that is being edited the entry is the tree that editing
// started from, with its attributes as they are now: use [Draft.Dir] to see
// inside.
func (d *Draft) Get(ctx context.Context, name string) (e Entry, ok bool, err error) {
	if c, ok := d.names[name]; ok {
		if c.dir != nil {
			return c.dir.base.With(c.dir.attr), true, nil
		}
		return c.entry, c.entry != nil, nil
	}
	if e, ok, err := d.base.Get(ctx, name); ok || err != nil {
		return e, ok, err
	}
	return d.fill.Get(ctx, name)
}

// Dir gives the draft of the directory of that name; ok is false when the name
// stands for something else or for nothing.
func (d *Draft) Dir(ctx context.Context, name string) (sub *Draft, ok bool, err error) {
	c, known := d.names[name]
	if known && c.dir != nil {
		return c.dir, true, nil
	}
	e, _, err := d.Get(ctx, name)
	if err != nil {
		return nil, false, err
	}
	t, ok := e.(Tree)
	if !ok {
		return nil, false, nil
	}
	sub = NewDraft(t)
	d.set(name, edited{dir: sub, fresh: known})
	return sub, true, nil
}

// Put makes name stand for e, replacing what it stood for with all that it
// held. The name must be one that [CheckName] accepts.
func (d *Draft) Put(name string, e Entry) {
	d.set(name, edited{entry: e})
}

// MakeDir makes name stand for a new directory without entries, replacing what
// it stood for, and gives its draft.
func (d *Draft) MakeDir(name string, a Attr) *Draft {
	sub := NewDraft(Empty().With(a))
	d.set(name, edited{dir: sub, fresh: true})
	return sub
}

// Remove makes name stand for nothing.
func (d *Draft) Remove(name string) {
	d.set(name, edited{})
}

// Fill puts every name of t that the directory does not have. When t has many
// more names than the directory it costs no more than the latter has. The
// hardlink groups of t itself do not come along, those of directories in it do.
func (d *Draft) Fill(ctx context.Context, t Tree) error {
	_, isView := t.StandIn()
	if !isView && d.fill.Len() == 0 && len(d.names) == 0 && d.base.Len() <= t.Len() {
		d.fill = t
		return nil
	}
	for c, err := range t.All(ctx) {
		if err != nil {
			return err
		}
		_, ok, err := d.Get(ctx, c.Name)
		if err != nil {
			return err
		}
		if !ok {
			d.Put(c.Name, c.Entry)
		}
	}
	return nil
}

// Clear removes all names.
func (d *Draft) Clear(ctx context.Context) error {
	d.names, d.fill = nil, Tree{}
	for c, err := range d.base.All(ctx) {
		if err != nil {
			return err
		}
		d.Remove(c.Name)
	}
	return nil
}

// Link makes the paths, and the groups that they are in, names of one inode.
// The paths are relative to this directory; what they stand for when the draft
// ends must be equal entries and not directories, through directories alone.
func (d *Draft) Link(paths ...string) {
	g := make([]string, 0, len(paths))
	for _, p := range paths {
		g = append(g, strings.Trim(p, "/"))
	}
	slices.SortFunc(g, ComparePaths)
	if g = slices.Compact(g); len(g) > 1 {
		d.links = append(d.links, g)
	}
}

func (d *Draft) set(name string, e edited) {
	if d.names == nil {
		d.names = map[string]edited{}
	}
	d.names[name] = e
}

// Tree gives the edited directory. The draft may be edited further.
func (d *Draft) Tree(ctx context.Context) (Tree, error) {
	t, _, err := d.finish(ctx, d.base.links != nil, "")
	if err != nil {
		return Tree{}, err
	}
	groups := d.collectLinks(nil, "")
	if len(groups) == 0 {
		return t, nil
	}
	if err := checkLinks(ctx, t, groups); err != nil {
		return Tree{}, err
	}
	if groups, err = t.wholeGroups(ctx, groups); err != nil {
		return Tree{}, err
	}
	t, _, _, err = t.link(ctx, groups)
	return t, err
}

func (d *Draft) collectLinks(groups [][]string, prefix string) [][]string {
	for _, g := range d.links {
		abs := make([]string, len(g))
		for i, p := range g {
			abs[i] = prefix + p
		}
		groups = append(groups, abs)
	}
	for name, c := range d.names {
		if c.dir != nil {
			groups = c.dir.collectLinks(groups, prefix+name+"/")
		}
	}
	return groups
}

func checkLinks(ctx context.Context, t Tree, groups [][]string) error {
	for _, g := range groups {
		var first Entry
		for _, p := range g {
			e, err := t.Lookup(ctx, p)
			if err != nil {
				return err
			}
			if first == nil {
				first = e
			}
			if e.Kind() == KindDirectory || !Equal(e, first) {
				return pathError("link", p, fmt.Errorf("is a different %s than %s: they cannot be one inode", e.Kind(), g[0]))
			}
		}
	}
	return nil
}

// finish gives the tree and, when linked says that a directory above or this
// one has hardlinks, what happened to groups.
func (d *Draft) finish(ctx context.Context, linked bool, at string) (Tree, []move, error) {
	t := d.base
	t.attr = d.attr
	if err := d.attr.check(); err != nil {
		return t, nil, pathError("put", at+"/", err)
	}
	var changes []change
	var moves []move
	for name, c := range d.names {
		err := CheckName(name)
		if err == nil && c.entry != nil {
			c.entry, err = normal(c.entry)
		}
		if err != nil {
			return t, nil, pathError("put", at+"/"+name, err)
		}
		e := c.entry
		if c.dir != nil {
			sub, below, err := c.dir.finish(ctx, !c.fresh && linked || c.dir.base.links != nil, at+"/"+name)
			if err != nil {
				return t, nil, err
			}
			if !c.fresh && d.fill.Len() == 0 && sub == c.dir.base {
				continue
			}
			e = sub
			if !c.fresh {
				for _, m := range below {
					moves = append(moves, m.under(name))
				}
			}
		}
		if linked && (c.dir == nil || c.fresh) {
			moves = append(moves, move{from: name}, move{from: name + "/"})
		}
		changes = append(changes, change{name, e})
	}
	if len(changes) == 0 && d.fill.Len() == 0 {
		return t, nil, nil
	}
	if d.fill.Len() > 0 {
		var err error
		if t.list, changes, err = d.filled(ctx, linked, changes); err != nil {
			return t, nil, err
		}
	}
	slices.SortFunc(changes, func(a, b change) int { return strings.Compare(a.name, b.name) })
	var err error
	if t.list, err = t.list.edit(ctx, changes); err != nil {
		return t, nil, err
	}
	if !linked {
		return t, nil, nil
	}
	groups, err := t.links.load(ctx)
	if err != nil {
		return t, nil, err
	}
	if !t.links.touchedBy(moves) {
		return t, moves, nil
	}
	ed := editLinks(groups)
	up := ed.apply(moves)
	l, more := ed.finish()
	if !slices.EqualFunc(l.known(), groups, func(a, b group) bool { return slices.Equal(a, b) }) {
		t.links = l
	}
	return t, append(more, up...), nil
}

// filled gives what to start from, and what to change in it, so that the names
// of fill are there too: the names of the base go into those of fill, which are
// more, unless the base's hardlinks must be looked after.
func (d *Draft) filled(ctx context.Context, linked bool, changes []change) (*list, []change, error) {
	from, into := d.base, d.fill
	if linked {
		from, into = into, from
	}
	for c, err := range from.All(ctx) {
		if err != nil {
			return nil, nil, err
		}
		if _, ok := d.names[c.Name]; ok {
			continue
		}
		if linked {
			_, ok, err := d.base.Get(ctx, c.Name)
			if err != nil {
				return nil, nil, err
			}
			if ok {
				continue
			}
		}
		changes = append(changes, change{c.Name, c.Entry})
	}
	return into.list, changes, nil
}

// Base gives the tree that editing started from, and whether nothing but the
// attributes was changed since.
func (d *Draft) Base() (t Tree, pristine bool) {
	return d.base, len(d.names) == 0 && d.fill.Len() == 0
}

// Count gives how many entries are below the directory as it is now; it is negative
// if that is not known: see [Tree.Count]. It costs what was edited.
func (d *Draft) Count(ctx context.Context) (int64, error) {
	n := d.base.Count()
	if n < 0 || d.fill.Count() < 0 {
		return unknown, nil
	}
	if d.fill.Len() > 0 {
		n += d.fill.Count()
		for c, err := range d.base.All(ctx) {
			if err != nil {
				return 0, err
			}
			hidden, ok, err := d.fill.Get(ctx, c.Name)
			if err != nil {
				return 0, err
			}
			if ok {
				n -= entries(hidden)
			}
		}
	}
	for name, c := range d.names {
		was, ok, err := d.base.Get(ctx, name)
		if !ok && err == nil {
			was, ok, err = d.fill.Get(ctx, name)
		}
		if err != nil {
			return 0, err
		}
		if ok {
			n -= entries(was)
		}
		switch {
		case c.dir != nil:
			below, err := c.dir.Count(ctx)
			if err != nil || below < 0 {
				return below, err
			}
			n += 1 + below
		case c.entry != nil:
			below := entries(c.entry)
			if below < 0 {
				return unknown, nil
			}
			n += below
		}
	}
	return n, nil
}

// entries is how many entries something is: 1, and those below a directory; unknown
// if they are.
func entries(e Entry) int64 {
	if t, ok := e.(Tree); ok {
		return addCapped(1, t.Count())
	}
	return 1
}

// Now gives the tree that editing started from with the attributes as they are
// now.
func (d *Draft) Now() Tree { return d.base.With(d.attr) }
