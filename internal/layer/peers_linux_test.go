package layer_test

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
)

// peers are those that know layers, with all that is their own.
func peers() []peer {
	return []peer{
		// It has no own difference: what it cannot be told, it is not asked.
		{name: "overlayfs", unpack: overlaid, limits: treetest.StackLimits{NoLowerLinks: true}},
		{name: "containerd on overlay", unpack: onOverlay, own: []ownDifference{
			theRoot, noTrusted, ownTime, setGroup, noPast, timesLast, keepsXattrs,
			{
				why:     "a hardlink to a name of a layer below is not there in the directory of the layer",
				refuses: func(c *comparison, err error) bool { return errors.Is(err, fs.ErrNotExist) && c.linksBelow() },
			},
			{
				why: "attributes of a parent without an entry are looked for in every layer below, even below what is no directory there",
				refuses: func(c *comparison, err error) bool {
					return astray(err) && len(c.impliedBelowOther()) > 0
				},
			},
			{
				why:   "an opaque marker of the root hides nothing",
				where: (*comparison).belowOpaqueRoot,
			},
			{
				why: "a whiteout of what its own layer has is refused, and so is one that is there twice",
				refuses: func(c *comparison, err error) bool {
					return errors.Is(err, fs.ErrExist) && len(c.addedThenWhitedOut()) > 0
				},
			},
			{
				why:   "a directory that its own layer has behind a whiteout of it shows what is below",
				where: (*comparison).whitedOutThenDirectory,
				refuses: func(c *comparison, err error) bool {
					return errors.Is(err, syscall.ENOTDIR) && len(c.whitedOutThenDirectory()) > 0
				},
			},
		}},
		{name: "containerd", unpack: onDirectory, own: []ownDifference{
			theRoot, noTrusted, ownTime, setGroup, noPast, timesLast, keepsXattrs, noForward,
			{
				why:   "a whiteout removes what its own layer added before it",
				where: (*comparison).addedThenWhitedOut,
				refuses: func(c *comparison, err error) bool {
					return errors.Is(err, fs.ErrNotExist) && len(c.addedThenWhitedOut()) > 0
				},
			},
			{
				why:   "an opaque marker removes directories that its own layer implied before it",
				where: (*comparison).impliedThenOpaque,
				refuses: func(c *comparison, err error) bool {
					return errors.Is(err, fs.ErrNotExist) && len(c.impliedThenOpaque()) > 0
				},
			},
			{
				why:   "a directory that its own layer has behind something else of that name does not show what is below",
				where: (*comparison).otherThenDirectory,
			},
			{
				why:     "a parent without an entry is followed where a symlink stands below",
				where:   (*comparison).throughLinks,
				refuses: func(c *comparison, err error) bool { return len(c.throughLinks()) > 0 },
			},
			{
				why: "a directory that was written into through a symlink has the time of unpacking",
				forgive: func(c *comparison, got, want *treetest.Item) {
					in := func(p string) bool { return path.Dir(p) == want.Path }
					if want.Kind == tree.KindDirectory && got.Kind == want.Kind && slices.ContainsFunc(c.throughLinks(), in) {
						got.Attr.ModTime = want.Attr.ModTime
					}
				},
			},
			{
				why: "a parent without an entry does not replace what stands below",
				refuses: func(c *comparison, err error) bool {
					return errors.Is(err, syscall.ENOTDIR) && len(c.impliedOver(func(k tree.Kind) bool { return k != tree.KindDirectory })) > 0
				},
			},
		}},
	}
}

// diffPeers are those that unpack a layer over a tree. Diffs are written in the
// order of paths and with an entry for each directory on the way, so that less is
// their own than with layers of any kind.
func diffPeers() []diffPeer {
	return []diffPeer{
		{name: "containerd on overlay", apply: diffOnOverlay, own: []ownDifference{theRoot, noTrusted, noPast}},
		{name: "containerd", apply: diffOnDirectory, own: []ownDifference{theRoot, noTrusted, noPast, keepsXattrs}},
		{name: "umoci", tool: "umoci", apply: diffByUmoci, own: []ownDifference{noEmptyXattrs}},
		{name: "tar", tool: "tar", apply: diffByTar("tar", "--numeric-owner", "--xattrs", "--xattrs-include=*"), own: []ownDifference{keepsXattrs, setGroupBit}},
		{name: "bsdtar", tool: "bsdtar", apply: diffByTar("bsdtar", "--numeric-owner", "--xattrs"), own: []ownDifference{keepsXattrs, otherPast, timeFirst, composedNames, composedTargets}},
	}
}

// What containerd does wherever it unpacks.
var (
	theRoot = ownDifference{
		why: "an entry of the root is not looked at",
		forgive: func(_ *comparison, got, want *treetest.Item) {
			if want.Path == "/" && got.Kind == want.Kind {
				got.Attr = want.Attr
			}
		},
	}
	noTrusted = ownDifference{
		why: "extended attributes of trusted.* are not set",
		forgive: func(_ *comparison, got, want *treetest.Item) {
			if _, has := got.Attr.Xattrs.Get("trusted.k"); !has {
				want.Attr.Xattrs = want.Attr.Xattrs.Without("trusted.k")
			}
		},
	}
	ownTime = ownDifference{
		why: "a directory that a layer writes into without an entry for it has the time of unpacking",
		forgive: func(c *comparison, got, want *treetest.Item) {
			if want.Kind == tree.KindDirectory && got.Kind == want.Kind && c.writtenInto(want.Path) {
				got.Attr.ModTime = want.Attr.ModTime
			}
		},
	}
	setGroup = ownDifference{
		why: "a parent without an entry has the group of a set-group-ID directory that it lies in",
		forgive: func(c *comparison, got, want *treetest.Item) {
			in := c.want.Find(path.Dir(want.Path))
			if want.Kind == tree.KindDirectory && got.Kind == want.Kind && in != nil && in.Attr.Mode&0o2000 != 0 && got.Attr.GID == in.Attr.GID {
				want.Attr.GID = got.Attr.GID
			}
		},
	}
	noPast = ownDifference{
		why: "times before 1970 are 1970",
		forgive: func(_ *comparison, got, want *treetest.Item) {
			if want.Attr.ModTime.Sec < 0 && got.Attr.ModTime == (tree.Time{}) {
				want.Attr.ModTime = tree.Time{}
			}
		},
	}
	timesLast = ownDifference{
		why:   "directories of which the layer makes something else afterwards are still given their time, or looked for",
		where: (*comparison).directoryThenNot,
		refuses: func(c *comparison, err error) bool {
			return astray(err) && len(c.directoryThenNot()) > 0
		},
	}
	noEmptyXattrs = ownDifference{
		why: "an extended attribute without a value is not set: to Go's archive/tar it is one that is taken away",
		forgive: func(_ *comparison, got, want *treetest.Item) {
			for name, value := range want.Attr.Xattrs.All() {
				if _, has := got.Attr.Xattrs.Get(name); !has && value == "" {
					want.Attr.Xattrs = want.Attr.Xattrs.Without(name)
				}
			}
		},
	}
	setGroupBit = ownDifference{
		why: "a directory made in a set-group-ID directory keeps that bit",
		forgive: func(c *comparison, got, want *treetest.Item) {
			for _, l := range append(c.below, c.want) {
				in := l.Find(path.Dir(want.Path))
				if want.Kind == tree.KindDirectory && in != nil && in.Attr.Mode&0o2000 != 0 && got.Attr.Mode == want.Attr.Mode|0o2000 {
					want.Attr.Mode = got.Attr.Mode
				}
			}
		},
	}
	otherPast = ownDifference{
		why: "times before 1970 with parts of a second are others: -4.3 is read as -4 + 0.3",
		forgive: func(_ *comparison, got, want *treetest.Item) {
			w := want.Attr.ModTime
			if w.Sec < 0 && w.Nsec > 0 && got.Attr.ModTime == (tree.Time{Sec: w.Sec + 1, Nsec: 1e9 - w.Nsec}) {
				want.Attr.ModTime = got.Attr.ModTime
			}
		},
	}
	timeFirst = ownDifference{
		why: "a directory that was there is given its time before what is put into it",
		forgive: func(c *comparison, got, want *treetest.Item) {
			was := c.below[len(c.below)-1].Find(want.Path)
			if was != nil && was.Kind == tree.KindDirectory && want.Kind == was.Kind {
				got.Attr.ModTime = want.Attr.ModTime
			}
		},
	}
	composedNames = ownDifference{
		why: "names are normalised: e and an accent are made one letter",
		where: func(c *comparison) (out []string) {
			for _, i := range append(c.want, c.below[len(c.below)-1]...) {
				if n := strings.Index(i.Path, "e\u0301"); n >= 0 {
					p, _, _ := strings.Cut(i.Path[n+3:], "/")
					p = i.Path[:n+3] + p
					out = append(out, p, oneLetter(p))
				}
			}
			return out
		},
	}
	composedTargets = ownDifference{
		why: "targets of symlinks are normalised: e and an accent are made one letter",
		forgive: func(_ *comparison, got, want *treetest.Item) {
			if got.Target == oneLetter(want.Target) {
				want.Target = got.Target
			}
		},
	}
	noForward = ownDifference{
		why: "a hardlink that comes before its target is refused, or leads below",
		refuses: func(c *comparison, err error) bool {
			return errors.Is(err, fs.ErrNotExist) && len(c.linkedForward()) > 0
		},
		where: (*comparison).linkedForward,
	}
	keepsXattrs = ownDifference{
		why: "a directory keeps the extended attributes that it had",
		forgive: func(c *comparison, got, want *treetest.Item) {
			for name, value := range got.Attr.Xattrs.All() {
				if _, ok := want.Attr.Xattrs.Get(name); !ok && want.Kind == tree.KindDirectory && c.had(want.Path, name, value) {
					want.Attr.Xattrs = want.Attr.Xattrs.With(name, value)
				}
			}
		},
	}
)

// astray tells whether a path led to nothing, through what is no directory, or
// through too many symlinks.
func astray(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) ||
		errors.Is(err, syscall.ELOOP) || err.Error() == "too many links"
}

// oneLetter gives text with the one accent that generators know composed.
func oneLetter(s string) string { return strings.ReplaceAll(s, "e\u0301", "é") }

// linksBelow tells whether there is a hardlink to a layer below.
func (c *comparison) linksBelow() bool {
	for _, l := range c.stack {
		for k, i := range l {
			if i.Same != "" && !says(l[:k], i.Same) {
				return true
			}
		}
	}
	return false
}

// linkedForward gives the hardlinks that come before their target, or that
// something replaces before there is one.
func (c *comparison) linkedForward() (out []string) {
	for n, l := range c.stack {
		for k, i := range l {
			if i.Same != "" && !says(l[:k], i.Same) && (says(l[k:], i.Same) || c.below[n].Find(i.Same) == nil || takesAway(l, i.Same)) {
				out = append(out, i.Path)
			}
		}
	}
	return out
}

// takesAway tells whether there is a whiteout or an opaque marker for a path
// below, or for what it lies in.
func takesAway(l treetest.Layer, p string) bool {
	for _, i := range l {
		gone, ok := i.Whiteout()
		if dir, opaque := i.Opaque(); ok && atOrBelow(p, []string{gone}) || opaque && p != dir && atOrBelow(p, []string{dir}) {
			return true
		}
	}
	return false
}

// says tells whether there is an entry for a path.
func says(l treetest.Layer, p string) bool {
	for _, i := range l {
		if i.Path == p {
			return true
		}
	}
	return false
}

// writtenInto tells whether the last layer that has an entry for a directory or
// for something below it has none for itself.
func (c *comparison) writtenInto(p string) bool {
	for n := len(c.stack) - 1; n >= 0; n-- {
		if says(c.stack[n], p) {
			return false
		}
		for _, i := range c.stack[n] {
			if atOrBelow(i.Path, []string{p}) {
				return true
			}
		}
	}
	return false
}

// had tells whether an entry for a path had an extended attribute.
func (c *comparison) had(p, name, value string) bool {
	for _, l := range c.stack {
		for _, i := range l {
			if v, ok := i.Attr.Xattrs.Get(name); ok && v == value && i.Path == p && i.Kind == tree.KindDirectory {
				return true
			}
		}
	}
	return false
}

// addedThenWhitedOut gives the names of which a layer has a whiteout behind an
// entry at or below them.
func (c *comparison) addedThenWhitedOut() (out []string) {
	for _, l := range c.stack {
		for k, i := range l {
			p, ok := i.Whiteout()
			for _, before := range l[:k] {
				if ok && atOrBelow(before.Path, []string{p}) {
					out = append(out, p)
				}
			}
		}
	}
	return out
}

// whitedOutThenDirectory gives the names of which a layer has a whiteout before
// it makes directories of them, with an entry or without.
func (c *comparison) whitedOutThenDirectory() (out []string) {
	for _, l := range c.stack {
		for k, i := range l {
			p, ok := i.Whiteout()
			for _, later := range l[k:] {
				if ok && atOrBelow(later.Path, []string{p}) && (later.Path != p || later.Kind == tree.KindDirectory) {
					out = append(out, p)
				}
			}
		}
	}
	return out
}

// otherThenDirectory gives the names that a layer makes directories of after it
// made something else of them.
func (c *comparison) otherThenDirectory() (out []string) {
	for _, l := range c.stack {
		for k, i := range l {
			for _, later := range l[k:] {
				if i.Kind != tree.KindDirectory && later.Path == i.Path && later.Kind == tree.KindDirectory {
					out = append(out, i.Path)
				}
			}
		}
	}
	return out
}

// belowOpaqueRoot gives what is below layers with an opaque marker of the root.
func (c *comparison) belowOpaqueRoot() (out []string) {
	for n, l := range c.stack {
		for _, i := range l {
			for _, b := range c.below[n] {
				if dir, ok := i.Opaque(); ok && dir == "/" && path.Dir(b.Path) == "/" && b.Path != "/" {
					out = append(out, b.Path)
				}
			}
		}
	}
	return out
}

// impliedThenOpaque gives the directories that a layer implied before an opaque
// marker in a directory above.
func (c *comparison) impliedThenOpaque() (out []string) {
	for _, l := range c.stack {
		for k, i := range l {
			dir, ok := i.Opaque()
			for _, before := range l[:k] {
				for p := path.Dir(before.Path); ok && p != dir && atOrBelow(p, []string{dir}) && p != "/"; p = path.Dir(p) {
					if !says(l[:k], p) {
						out = append(out, p)
					}
				}
			}
		}
	}
	return out
}

// directoryThenNot gives the entries of directories that come before one of
// another kind at or above them, and what that leads to.
func (c *comparison) directoryThenNot() (out []string) {
	for n, l := range c.stack {
		for k, i := range l {
			for _, later := range l[k:] {
				if i.Kind == tree.KindDirectory && later.Kind != i.Kind && !later.Marker() && atOrBelow(i.Path, []string{later.Path}) {
					out = append(out, later.Path)
					if to, err := l.On(c.below[n]); err == nil {
						if r, err := tree.Resolve(context.Background(), to.MustTree(), i.Path, tree.FollowAll); err == nil {
							out = append(out, r.Path)
						}
					}
				}
			}
		}
	}
	return out
}

// implied is a parent that a layer has no entry for.
type implied struct {
	layer int
	path  string
}

// impliedOver gives the implied parents where a kind of entry stands below; nil
// gives all.
func (c *comparison) impliedOver(kind func(tree.Kind) bool) (out []implied) {
	for n, l := range c.stack {
		for k, i := range l {
			for p := path.Dir(i.Path); p != "/"; p = path.Dir(p) {
				if b := c.below[n].Find(p); (kind == nil || b != nil && kind(b.Kind)) && !says(l[:k], p) {
					out = append(out, implied{n, p})
				}
			}
		}
	}
	return out
}

// impliedBelowOther gives the implied parents that are in a layer below no
// directory, or have no directory as a parent there.
func (c *comparison) impliedBelowOther() (out []implied) {
	for _, i := range c.impliedOver(nil) {
		for _, l := range c.stack[:i.layer] {
			for _, e := range l {
				if e.Kind != tree.KindDirectory && atOrBelow(i.path, []string{e.Path}) {
					out = append(out, i)
				}
			}
		}
	}
	return out
}

func (c *comparison) throughLinks() (out []string) {
	for _, i := range c.impliedOver(func(k tree.Kind) bool { return k == tree.KindSymlink }) {
		r, err := tree.Resolve(context.Background(), c.below[i.layer].MustTree(), i.path, tree.FollowAll)
		if err != nil {
			return []string{"/"}
		}
		to := r.Path
		for r.Entry == nil && path.Dir(to) != r.Nearest {
			to = path.Dir(to)
		}
		out = append(out, i.path, to)
	}
	return out
}
