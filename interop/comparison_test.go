package interop

import (
	"cmp"
	"context"
	"path"
	"slices"
	"strconv"
	"time"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
)

// comparison is our result of a case beside a peer's. Own differences of the peer
// change one or the other as far as they explain it; what is still different then
// is a disagreement.
type comparison struct {
	c       treetest.Case
	since   time.Time // nothing that the peer dates itself is older
	ours    treetest.Listing
	theirs  treetest.Listing
	root    string      // where contents of directories went, without symlinks
	sources []tree.Attr // of the directories that were copied
	paths   int         // how many sources there were
}

func compare(c treetest.Case, since time.Time, ours, theirs treetest.Listing) *comparison {
	x := &comparison{c: c, since: since, ours: slices.Clone(ours), theirs: slices.Clone(theirs), root: "/"}
	for n := range x.ours {
		x.ours[n].Text = ""
	}
	for n := range x.theirs {
		x.theirs[n].Text = ""
	}
	switch c.Verb {
	case "copy", "file", "directory":
		x.locate()
	}
	return x
}

// locate finds out what was copied where.
func (x *comparison) locate() {
	from, to := x.c.From()
	follow := tree.FollowAll
	if x.c.Options.Overlay {
		follow = tree.FollowNone
	}
	ctx := context.Background()
	x.root = path.Clean("/" + to)
	if r, err := tree.Resolve(ctx, x.c.Dst.MustTree(), to, follow); err == nil {
		x.root = r.Path
	}
	src := x.c.Src.MustTree()
	for _, p := range from {
		found, err := compose.Glob(ctx, src, p)
		if err != nil {
			found = []string{p}
		}
		for _, q := range found {
			r, err := tree.Resolve(ctx, src, q, tree.FollowAll)
			if err != nil {
				continue
			}
			x.paths++
			if d, isDir := r.Entry.(tree.Tree); isDir {
				x.sources = append(x.sources, d.Attr())
			}
		}
	}
}

// differing calls f for what both have at a path, and have differently. It tells
// whether f changed something.
func (x *comparison) differing(f func(ours, theirs *treetest.Item)) bool {
	changed := false
	for n := range x.ours {
		ours := &x.ours[n]
		theirs := x.theirs.Find(ours.Path)
		if theirs == nil || *ours == *theirs {
			continue
		}
		was, were := *ours, *theirs
		f(ours, theirs)
		changed = changed || *ours != was || *theirs != were
	}
	return changed
}

// was gives what was at a path before, if it was a directory.
func (x *comparison) was(p string) *treetest.Item {
	if i := x.c.Dst.Find(p); i != nil && i.Kind == tree.KindDirectory {
		return i
	}
	return nil
}

// mode gives the mode that the case gives to all, if it is an octal one.
func (x *comparison) mode() (tree.Mode, bool) {
	n, err := strconv.ParseUint(x.c.Options.Mode, 8, 16)
	return tree.Mode(n), err == nil
}

// made gives the attributes, but for the time, of a directory that BuildKit's copy
// makes by itself at a path.
func (x *comparison) made(p string) tree.Attr {
	a := tree.Attr{Mode: 0o755}
	if m, ok := x.mode(); ok {
		a.Mode = m & 0o777
	}
	if up := x.theirs.Find(path.Dir(p)); up != nil && p != "/" && up.Attr.Mode&tree.SetGID != 0 {
		a.Mode |= tree.SetGID
		a.GID = up.Attr.GID
	}
	if o, err := x.c.Compose(context.Background()); err == nil && o.Owner != nil {
		a.UID, a.GID = o.Owner.UID, o.Owner.GID
	}
	return a
}

// recent tells whether a time is one of the peer's own making.
func (x *comparison) recent(t tree.Time) bool { return t.Sec >= x.since.Unix()-1 }

// fromSource tells whether a time is that of a directory that was copied.
func (x *comparison) fromSource(t tree.Time) bool {
	return slices.ContainsFunc(x.sources, func(s tree.Attr) bool { return s.ModTime == t })
}

// had tells whether a directory had an extended attribute before the last source
// was copied to it: in dst or, if there are several sources, from one of them.
func (x *comparison) had(p, name, value string) bool {
	has := func(i treetest.Item) bool {
		v, ok := i.Attr.Xattrs.Get(name)
		return ok && v == value && i.Kind == tree.KindDirectory
	}
	if old := x.was(p); old != nil && has(*old) {
		return true
	}
	return x.paths > 1 && slices.ContainsFunc(x.c.Src, has)
}

// splitGroups takes over the peer's hardlink groups where they are parts of one of
// ours for which may is true.
func (x *comparison) splitGroups(may func(group []treetest.Item) bool) bool {
	groups := map[string][]treetest.Item{} // ours, by their first path
	first := map[string]string{}           // of our group, by path
	for _, i := range x.ours {
		first[i.Path] = cmp.Or(i.Same, i.Path)
		groups[first[i.Path]] = append(groups[first[i.Path]], i)
	}
	return x.differing(func(ours, theirs *treetest.Item) {
		whole := first[ours.Path]
		if (theirs.Same == "" || first[theirs.Same] == whole) && may(groups[whole]) {
			ours.Same = theirs.Same
		}
	})
}
