package layer_test

import (
	"path"
	"slices"
	"syscall"

	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
)

// ownDifference is something that a peer does in its own way. It excuses a stack
// that the peer refuses, all at and below some paths, or some attributes of one
// entry; whatever else there is is compared. At least one function is set.
type ownDifference struct {
	why string
	// refuses tells whether this is why the peer refused a stack.
	refuses func(c *comparison, err error) bool
	// where gives the paths at and below which the peer has its own tree.
	where func(c *comparison) []string
	// forgive makes the same what differs in the entries that the peer has and
	// should have, as far as that is the peer's own.
	forgive func(c *comparison, got, want *treetest.Item)
}

// The differences that are peers' own, each with the reason why it is not ours.
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
			if want.Kind == tree.KindDirectory && slices.Contains(c.setGroups(want.Path), got.Attr.GID) {
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
			if want.Kind == tree.KindDirectory && got.Attr.Mode == want.Attr.Mode|0o2000 && len(c.setGroups(want.Path)) > 0 {
				want.Attr.Mode = got.Attr.Mode
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
		why:   "names are normalised: e and an accent are made one letter, which may be there",
		where: (*comparison).accented,
		refuses: func(c *comparison, err error) bool {
			return (astray(err) || is(err, syscall.ENOTEMPTY)) && len(c.accented()) > 0
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
			return (astray(err) || is(err, syscall.EPERM)) && len(c.linkedForward()) > 0
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
	linkBelow = ownDifference{
		why:     "a hardlink to a name of a layer below is not there in the directory of the layer",
		refuses: func(c *comparison, err error) bool { return is(err, syscall.ENOENT) && c.linksBelow() },
	}
	attrFromAll = ownDifference{
		why: "attributes of a parent without an entry are looked for in every layer below, even where there is a symlink, or no directory, above",
		refuses: func(c *comparison, err error) bool {
			return astray(err) && len(c.impliedBelowOther()) > 0
		},
		forgive: func(c *comparison, got, want *treetest.Item) {
			at := func(i implied) bool { return i.path == want.Path }
			if want.Kind == tree.KindDirectory && slices.ContainsFunc(c.impliedBelowOther(), at) {
				want.Attr = got.Attr
			}
		},
	}
	rootOpaque = ownDifference{
		why:   "an opaque marker of the root hides nothing",
		where: (*comparison).belowOpaqueRoot,
	}
	whiteoutRefused = ownDifference{
		why: "a whiteout of what its own layer has is refused, and so is one that is there twice",
		refuses: func(c *comparison, err error) bool {
			return is(err, syscall.EEXIST) && len(c.addedThenWhitedOut()) > 0
		},
	}
	whiteoutThenDir = ownDifference{
		why:   "a directory that its own layer has behind a whiteout of it shows what is below",
		where: (*comparison).whitedOutThenDirectory,
		refuses: func(c *comparison, err error) bool {
			return is(err, syscall.ENOTDIR) && len(c.whitedOutThenDirectory()) > 0
		},
	}
	whiteoutAfter = ownDifference{
		why:   "a whiteout removes what its own layer added before it",
		where: (*comparison).addedThenWhitedOut,
		refuses: func(c *comparison, err error) bool {
			return is(err, syscall.ENOENT) && len(c.addedThenWhitedOut()) > 0
		},
	}
	opaqueAfter = ownDifference{
		why:   "an opaque marker removes directories that its own layer implied before it",
		where: (*comparison).impliedThenOpaque,
		refuses: func(c *comparison, err error) bool {
			return is(err, syscall.ENOENT) && len(c.impliedThenOpaque()) > 0
		},
	}
	kindTwice = ownDifference{
		why:   "a directory that its own layer has behind something else of that name does not show what is below",
		where: (*comparison).otherThenDirectory,
	}
	followsParents = ownDifference{
		why:   "a parent without an entry is followed where a symlink stands below",
		where: (*comparison).throughLinks,
		refuses: func(c *comparison, err error) bool {
			return (astray(err) || is(err, syscall.EEXIST) || is(err, syscall.EPERM)) && len(c.throughLinks()) > 0
		},
	}
	timeThroughLinks = ownDifference{
		why: "a directory that was written into through a symlink has the time of unpacking",
		forgive: func(c *comparison, got, want *treetest.Item) {
			in := func(p string) bool { return path.Dir(p) == want.Path }
			if want.Kind == tree.KindDirectory && got.Kind == want.Kind && slices.ContainsFunc(c.throughLinks(), in) {
				got.Attr.ModTime = want.Attr.ModTime
			}
		},
	}
	noParent = ownDifference{
		why: "a parent without an entry does not replace what stands below",
		refuses: func(c *comparison, err error) bool {
			return is(err, syscall.ENOTDIR) && len(c.impliedOver(func(k tree.Kind) bool { return k != tree.KindDirectory })) > 0
		},
	}
	timeOfMade = ownDifference{
		why: "a directory in which one without an entry was made has the time of unpacking",
		forgive: func(c *comparison, got, want *treetest.Item) {
			in := func(i implied) bool { return path.Dir(i.path) == want.Path }
			if want.Kind == tree.KindDirectory && got.Kind == want.Kind && slices.ContainsFunc(c.impliedOver(nil), in) {
				got.Attr.ModTime = want.Attr.ModTime
			}
		},
	}
	hiddenAttr = ownDifference{
		why: "a parent without an entry has the attributes of a directory that its own layer hides",
		forgive: func(c *comparison, got, want *treetest.Item) {
			for _, i := range c.impliedOver(func(k tree.Kind) bool { return k == tree.KindDirectory }) {
				if i.path == want.Path && want.Kind == tree.KindDirectory && takesAway(c.stack[i.layer], i.path) {
					want.Attr = got.Attr
				}
			}
		},
	}
	timeOfEmptied = ownDifference{
		why: "a directory that a whiteout or an opaque marker emptied has the time of unpacking",
		forgive: func(c *comparison, got, want *treetest.Item) {
			emptied := func(l treetest.Layer) bool { return takesAway(l, path.Join(want.Path, "x")) }
			if want.Kind == tree.KindDirectory && got.Kind == want.Kind && slices.ContainsFunc(c.stack, emptied) {
				got.Attr.ModTime = want.Attr.ModTime
			}
		},
	}
	notMade = ownDifference{
		why:   "a directory of which the layer only has whiteouts is not made",
		where: (*comparison).onlyMarked,
	}
)
