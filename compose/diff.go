package compose

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/tree"
)

// Diff gives what makes b of a: applied to a it gives b. It passes by what the
// two share, so it costs what differs, and the hardlink groups of directories
// that differ.
func Diff(ctx context.Context, a, b tree.Tree) (tree.ChangeSet, error) {
	d := &differ{ctx: ctx, names: map[string]*linked{}}
	la, err := tree.NewLinkView(ctx, a)
	if err != nil {
		return tree.ChangeSet{}, err
	}
	lb, err := tree.NewLinkView(ctx, b)
	if err != nil {
		return tree.ChangeSet{}, err
	}
	root, err := d.dirs("/", a, b, la, lb)
	if err != nil {
		return tree.ChangeSet{}, err
	}
	c := tree.ChangeSet{Root: root}
	if err := d.regroup(&c, b); err != nil {
		return tree.ChangeSet{}, err
	}
	return c, nil
}

type differ struct {
	ctx   context.Context // of the one call of Diff that made it
	names map[string]*linked
}

// linked is a name that is in a hardlink group in one of the trees, in a
// directory that differs; or the first name of a group in a directory below one,
// standing for all names of the group there.
type linked struct {
	path string
	a, b *tree.Link
	put  bool // the change set puts it
	gone bool // b does not have it
}

// dirs gives the change of a directory; nil when nothing but hardlinks differs.
func (d *differ) dirs(at string, a, b tree.Tree, la, lb tree.LinkView) (*tree.DirChange, error) {
	c := &tree.DirChange{}
	if attr := b.Attr(); attr != a.Attr() {
		c.Attr = &attr
	}
	changed := map[string]bool{}
	for n, err := range tree.Compare(d.ctx, a, b) {
		if err == nil {
			err = d.ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		changed[n.Name] = true
		if err := d.name(c, at, n, la, lb); err != nil {
			return nil, err
		}
	}
	// Names and subtrees that are equal, but whose groups may not be.
	for p, l := range la.Paths() {
		if name, _, _ := strings.Cut(p, "/"); !changed[name] {
			d.at(path.Join(at, p)).a = l
		}
	}
	for p, l := range lb.Paths() {
		if name, _, _ := strings.Cut(p, "/"); !changed[name] {
			d.at(path.Join(at, p)).b = l
		}
	}
	if c.Attr == nil && c.Len() == 0 {
		return nil, nil
	}
	return c, nil
}

func (d *differ) name(c *tree.DirChange, at string, n tree.NameChange, la, lb tree.LinkView) error {
	p := path.Join(at, n.Name)
	old, oldIsTree := n.Old.(tree.Tree)
	now, nowIsTree := n.New.(tree.Tree)
	if oldIsTree && nowIsTree {
		below, err := la.Below(d.ctx, n.Name, old)
		if err != nil {
			return err
		}
		above, err := lb.Below(d.ctx, n.Name, now)
		if err != nil {
			return err
		}
		sub, err := d.dirs(p, old, now, below, above)
		if err == nil && sub != nil {
			c.Set(n.Name, sub)
		}
		return err
	}
	if l := la.Of(n.Name); l != nil {
		e := d.at(p)
		e.a, e.gone = l, n.New == nil || nowIsTree
	}
	if l := lb.Of(n.Name); l != nil {
		e := d.at(p)
		e.b, e.put = l, true
	}
	for rest, l := range lb.PathsBelow(n.Name) {
		e := d.at(path.Join(p, rest))
		e.b, e.put = l, true
	}
	for rest, l := range la.PathsBelow(n.Name) {
		e := d.at(path.Join(p, rest))
		e.a, e.gone = l, e.b == nil
	}
	if n.New == nil {
		c.Set(n.Name, tree.Remove{})
		return nil
	}
	if e, ok := d.names[p]; ok {
		e.put = true
	}
	c.Set(n.Name, tree.Put{Entry: n.New})
	return nil
}

func (d *differ) at(p string) *linked {
	e := d.names[p]
	if e == nil {
		e = &linked{path: p}
		d.names[p] = e
	}
	return e
}

// regroup sees to it that the groups of b come out: names that are put have left
// their group, names that are not have stayed in it.
func (d *differ) regroup(c *tree.ChangeSet, b tree.Tree) error {
	groupsA, groupsB := map[*tree.Link][]*linked{}, map[*tree.Link][]*linked{}
	for _, e := range d.names {
		if e.gone {
			continue
		}
		if e.a != nil {
			groupsA[e.a] = append(groupsA[e.a], e)
		}
		if e.b != nil {
			groupsB[e.b] = append(groupsB[e.b], e)
		}
	}
	for again := true; again; {
		again = false
		for _, g := range groupsB {
			again = putUnlessOne(g, func(e *linked) *tree.Link { return e.a }) || again
		}
		for _, g := range groupsA {
			again = splitGroup(g) || again
		}
	}
	seen := map[string]bool{}
	for _, e := range d.names {
		if !e.put || e.gone || seen[e.path] {
			continue
		}
		// A name may stand for several in a directory that does not differ.
		group, err := b.LinkGroup(d.ctx, e.path)
		if err != nil {
			return err
		}
		for _, p := range group {
			seen[p] = true
			if err := d.put(c, b, p); err != nil {
				return err
			}
		}
		if len(group) > 1 {
			c.Links = append(c.Links, group)
		}
	}
	slices.SortFunc(c.Links, func(a, b []string) int { return tree.ComparePaths(a[0], b[0]) })
	return nil
}

// putUnlessOne puts all names of a group of b, unless none is put and all are of
// one group in a. It tells whether that changed anything.
func putUnlessOne(g []*linked, was func(*linked) *tree.Link) bool {
	keep := was(g[0]) != nil
	for _, e := range g {
		keep = keep && !e.put && was(e) == was(g[0])
	}
	return !keep && putAll(g)
}

// splitGroup puts all names of a group of a that are still in it, unless they
// are one group in b.
func splitGroup(g []*linked) bool {
	left := slices.DeleteFunc(slices.Clone(g), func(e *linked) bool { return e.put })
	if len(left) < 2 {
		return false
	}
	for _, e := range left {
		if e.b == nil || e.b != left[0].b {
			return putAll(left)
		}
	}
	return false
}

func putAll(g []*linked) (changed bool) {
	for _, e := range g {
		changed = changed || !e.put
		e.put = true
	}
	return changed
}

// put makes the change set put what b has at a path, without a change of the
// directories on the way.
func (d *differ) put(c *tree.ChangeSet, b tree.Tree, p string) error {
	if c.Root == nil {
		c.Root = &tree.DirChange{}
	}
	at := c.Root
	dir, name := path.Split(strings.Trim(p, "/"))
	for n := range strings.SplitSeq(strings.Trim(dir, "/"), "/") {
		if n == "" {
			break
		}
		switch next := at.Get(n).(type) {
		case tree.Put:
			return nil // with all below it
		case *tree.DirChange:
			at = next
		default:
			sub := &tree.DirChange{}
			at.Set(n, sub)
			at = sub
		}
	}
	e, err := b.Lookup(d.ctx, p)
	if err != nil {
		return err
	}
	at.Set(name, tree.Put{Entry: e})
	return nil
}
