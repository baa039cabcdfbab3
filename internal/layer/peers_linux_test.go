package layer_test

import "github.com/inlaybuild/inlay/internal/treetest"

// peers are those that know layers, with all that is their own.
func peers() []peer {
	return []peer{
		// It has no own difference: what it cannot be told, it is not asked.
		{name: "overlayfs", unpack: overlaid, limits: treetest.StackLimits{NoLowerLinks: true}},
		{name: "containerd on overlay", unpack: onOverlay, own: []ownDifference{
			theRoot, noTrusted, ownTime, setGroup, noPast, timesLast, keepsXattrs,
			linkBelow, attrFromAll, rootOpaque, whiteoutRefused, whiteoutThenDir, hiddenAttr,
		}},
		{name: "containerd", unpack: onDirectory, own: []ownDifference{
			theRoot, noTrusted, ownTime, setGroup, noPast, timesLast, keepsXattrs,
			noForward, whiteoutAfter, opaqueAfter, kindTwice, followsParents, timeThroughLinks, noParent,
		}},
		{name: "umoci", tool: "umoci", unpack: byUmoci, own: []ownDifference{
			noEmptyXattrs, ownTime, noForward, kindTwice, followsParents, timeThroughLinks, noParent, timeOfMade, timeOfEmptied, notMade,
			hiddenAttr, setGroup, setGroupBit,
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
