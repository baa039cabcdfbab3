package peers

import (
	"path"
	"slices"

	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
)

// ownDifference is something that a peer does in a way of its own. Entries of
// the source that come to it are left out, with what is below them, or adapted,
// and all that remains is compared; so it must say precisely when.
type ownDifference struct {
	why string
	has func(e encounter, m meeting) bool
	// adapt, if it is not nil, gives what the peer treats as we do instead.
	adapt func(m meeting) treetest.Item
}

// order is every peer's difference: where two entries of the source land on one
// place, or one of them replaces a symlink that another is led by, the order of
// the copy decides. Ours is that of the names; a peer has its own.
var order = ownDifference{
	why: "it depends on the order of the copy",
	has: func(e encounter, m meeting) bool {
		if m.root {
			return false
		}
		replaces := m.was != nil && m.into == nil
		for _, o := range e.meetings {
			switch {
			case o.Path == m.Path && o.at == m.at:
				continue
			case o.at == m.at && o.Path < m.Path,
				o.into != nil && m.into != nil && o.into.Path == m.into.Path && !o.root && o.Path < m.Path,
				o.root && m.into != nil && m.into.Path == o.at,
				o.into != nil && m.at == o.into.Path && !o.root && o.Path != m.Path && o.was.Kind == tree.KindSymlink,
				replaces && o.at != m.at && within(o.at, m.at) && !within(o.Path, m.Path),
				m.isDir() && m.toward != "" && m.into == nil && (within(o.at, m.toward) || within(m.toward, o.at) && !o.isDir()):
				return true
			}
		}
		for h := range e.hops {
			if replaces && within(h, m.at) {
				return true
			}
		}
		return false
	},
}

// manyLinks is the kernel's difference: where it has to begin a walk again, it
// counts links twice, and so says now and then that these are too many.
var manyLinks = ownDifference{
	why: "the kernel counts more than 20 links twice, at times",
	has: func(_ encounter, m meeting) bool { return !m.root && len(m.hops) > tree.MaxLinks/2 },
}

// leaveOut gives the case without the entries of the source that come to a
// peer's own differences, and counts them.
func (p peer) leaveOut(c treetest.Case, count map[string]int) (treetest.Case, error) {
	for {
		j, err := newJob(c)
		if err != nil {
			return c, err
		}
		e := encounters(j)
		gone, changed := map[string]bool{}, false
		c.Src = slices.Clone(c.Src)
		for _, d := range append([]ownDifference{order, manyLinks}, p.own...) {
			for _, m := range e.meetings {
				if m.root || changed || !d.has(e, m) {
					continue
				}
				count[d.why]++
				if d.adapt == nil {
					gone[m.Path] = true
				} else {
					*c.Src.Find(m.Path), changed = d.adapt(m), true
				}
			}
			if len(gone) > 0 || changed {
				break
			}
		}
		switch {
		case changed:
		case len(gone) == 0:
			return c, nil
		default:
			c = without(c, gone)
		}
	}
}

// without leaves paths out of a case's source.
func without(c treetest.Case, gone map[string]bool) treetest.Case {
	c.Src = c.Src.Filter(func(i treetest.Item) bool { return !gone[i.Path] })
	if c.Verb != "copy" {
		return c
	}
	n := len(c.Args) - 1
	kept := slices.DeleteFunc(slices.Clone(c.Args[:n]), func(p string) bool { return c.Src.Find("/"+p) == nil })
	c.Args = append(kept, c.Args[n])
	return c
}

// now is the time that listings have where a program did not set it. Generated
// ones have times of long ago.
const now = 1_700_000_000

// forgive makes of a peer's result what it would be without what all of them do
// to directories: those that are written into get a new time, and the root of the
// copy takes the source's attributes. What else differs stays.
func forgive(e encounter, got, ours treetest.Listing) treetest.Listing {
	got = withoutNow(got, ours)
	for _, m := range e.meetings {
		if i, o := got.Find(m.at), ours.Find(m.at); m.root && i != nil && o != nil {
			i.Attr = o.Attr
		}
	}
	return got
}

// withoutNow gives a peer's result with other times of directories that it wrote
// into: ours, or none.
func withoutNow(got, ours treetest.Listing) treetest.Listing {
	got = slices.Clone(got)
	for n := range got {
		i := &got[n]
		if i.Kind != tree.KindDirectory || i.Attr.ModTime.Sec <= now && i.Path != "/" { // the kit came and went
			continue
		}
		i.Attr.ModTime = tree.Time{}
		if o := ours.Find(i.Path); o != nil && o.Kind == i.Kind {
			i.Attr.ModTime = o.Attr.ModTime
		}
	}
	return got
}

// attributesStay is a difference of peers that merge with a directory that a
// symlink leads to, and do not give it the source's attributes.
func attributesStay(who string) ownDifference {
	return ownDifference{
		why: who + " does not change the attributes of a directory that a symlink leads to",
		has: func(_ encounter, m meeting) bool {
			return m.isDir() && m.into != nil && m.met(tree.KindSymlink) && m.into.Attr != m.Attr
		},
		adapt: func(m meeting) treetest.Item {
			m.Item.Attr = m.into.Attr
			return m.Item
		},
	}
}

// inheritsSetGroupID is a difference of peers that make directories, and change
// their modes without a look at what the kernel made of them.
func inheritsSetGroupID(who string) ownDifference {
	return ownDifference{
		why: who + " lets a new directory inherit the set-group-ID bit of the one that it is in",
		has: func(e encounter, m meeting) bool {
			if !m.isDir() || m.into != nil || m.Attr.Mode&0o2000 != 0 {
				return false
			}
			up := path.Dir(m.at)
			for e.Dst.Find(up) == nil || e.Dst.Find(up).Kind != tree.KindDirectory {
				up = path.Dir(up)
			}
			return e.Dst.Find(up).Attr.Mode&0o2000 != 0
		},
		adapt: func(m meeting) treetest.Item {
			m.Item.Attr.Mode |= 0o2000
			return m.Item
		},
	}
}
