package interop

import (
	"path"
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
)

// copyDifferences are what BuildKit's COPY does in its own way where it succeeds.
// They are tried in this order.
var copyDifferences = slices.Concat(nodeDifferences, []ownDifference{
	rootAttributes,
	{
		name:    "a directory that the copy of a directory creates has attributes of its own",
		why:     "it is made as missing parents are, and found to exist when its attributes are due; we give it the source's (3.4)",
		example: "copy /d /x\n-- src --\nd/ {0700 1:2}\nd/f = f\n",
		excuse: func(x *comparison) bool {
			return x.was(x.root) == nil && len(x.sources) > 0 && x.differing(func(ours, theirs *treetest.Item) {
				a := x.made(ours.Path)
				a.ModTime = theirs.Attr.ModTime
				if ours.Path == x.root && theirs.Attr == a && (x.fromSource(a.ModTime) || x.recent(a.ModTime)) {
					a.ModTime = ours.Attr.ModTime
					ours.Attr, theirs.Attr.ModTime = a, a.ModTime
				}
			})
		},
	},
	{
		name: "the directory that contents go into takes the source's time", minor: true,
		why:     "what is meant to restore its time takes that of the source; we leave it (3.4)",
		example: "copy /d /x\n-- dst --\nx/ {@5}\n-- src --\nd/ {@9}\n",
		excuse: func(x *comparison) bool {
			return x.differing(func(ours, theirs *treetest.Item) {
				if ours.Path == x.root && x.fromSource(theirs.Attr.ModTime) {
					theirs.Attr.ModTime = ours.Attr.ModTime
				}
			})
		},
	},
	{
		name:    "parents that are made take an octal mode",
		why:     "--chmod is given to them as well; ours are 0755 (3.5)",
		example: "copy --mode 0700 /f /a/f\n-- src --\nf = f\n",
		excuse: func(x *comparison) bool {
			m, ok := x.mode()
			return ok && x.differing(func(ours, theirs *treetest.Item) {
				if ours.Kind == tree.KindDirectory && x.c.Dst.Find(ours.Path) == nil && x.recent(theirs.Attr.ModTime) &&
					ours.Attr.Mode == 0o755 && theirs.Attr.Mode&0o777 == m&0o777 {
					ours.Attr.Mode = m & 0o777
				}
			})
		},
	},
	{
		name:    "parents that are made in a directory with the set-group-ID bit inherit it",
		why:     "mkdir(2) does so; a result of ours has what is asked for (3.5)",
		example: "copy /f /s/a/f\n-- dst --\ns/ {2755 0:9}\n-- src --\nf = f\n",
		excuse: func(x *comparison) bool {
			return x.differing(func(ours, theirs *treetest.Item) {
				a := x.made(ours.Path)
				if ours.Kind == tree.KindDirectory && x.c.Dst.Find(ours.Path) == nil && x.recent(theirs.Attr.ModTime) &&
					a.Mode&tree.SetGID != 0 && theirs.Attr.Mode == a.Mode && theirs.Attr.GID == a.GID {
					ours.Attr.Mode, ours.Attr.GID = a.Mode, a.GID
				}
			})
		},
	},
	{
		name:    "a directory that is there keeps the extended attributes that the source's does not have",
		why:     "they are set one by one, and none is removed; ours are the source's (2, row a)",
		example: "directory /\n-- dst --\nd/ {user.k=v}\n-- src --\nd/ {user.l=w}\n",
		excuse: func(x *comparison) bool {
			return x.differing(func(ours, theirs *treetest.Item) {
				if ours.Kind != tree.KindDirectory {
					return
				}
				kept := ours.Attr.Xattrs
				for name, value := range theirs.Attr.Xattrs.All() {
					if _, own := ours.Attr.Xattrs.Get(name); !own && x.had(ours.Path, name, value) {
						kept = kept.With(name, value)
					}
				}
				if theirs.Attr.Xattrs == kept {
					ours.Attr.Xattrs = kept
				}
			})
		},
	},
	{
		name:    "a symbolic mode with = takes the set-ID bits of directories away",
		why:     "we leave them, as chmod(1) of GNU does",
		example: "directory --mode a=rX,u+w /\n-- src --\nd/ {2755}\n",
		excuse: func(x *comparison) bool {
			return strings.Contains(x.c.Options.Mode, "=") && x.differing(func(ours, theirs *treetest.Item) {
				if cleared := ours.Attr.Mode &^ (tree.SetUID | tree.SetGID); ours.Kind == tree.KindDirectory && theirs.Attr.Mode == cleared {
					ours.Attr.Mode = cleared
				}
			})
		},
	},
	directoryTimes,
})

// copyReadings are BuildKit's ways to read trees.
var copyReadings = []ownReading{
	{
		name:    "the target of a symlink is cleaned before it is followed",
		why:     "continuity's RootPath joins paths as text: d/../e is e, wherever d leads; with us .. is the real parent, as it is to a process (1.2)",
		example: "copy /f /link/f\n-- dst --\nlink -> d/../e\nd -> x/y\nx/y/\nx/e/\ne/\n-- src --\nf = f\n",
		read: func(l treetest.Listing) treetest.Listing {
			l = slices.Clone(l)
			for n := range l {
				if l[n].Kind == tree.KindSymlink {
					l[n].Target = path.Clean(l[n].Target)
				}
			}
			return l
		},
	},
}

// directoryTimes is what all peers do that work on a file system.
var directoryTimes = ownDifference{
	name: "directories that are written into have the time of that", minor: true,
	why:     "as any file system does it; a result of ours depends on its inputs alone (3.7)",
	example: "copy /f /d/f\n-- dst --\nd/ {@5}\n-- src --\nf = f\n",
	excuse: func(x *comparison) bool {
		return x.differing(func(ours, theirs *treetest.Item) {
			if ours.Kind == tree.KindDirectory && x.recent(theirs.Attr.ModTime) {
				theirs.Attr.ModTime = ours.Attr.ModTime
			}
		})
	},
}

// nodeDifferences are what BuildKit's copy makes of what is no file, and of files
// with several names.
var nodeDifferences = []ownDifference{
	{
		name:    "a block device becomes a character device",
		why:     "a mistake of fsutil: copyDevice clears the bits of S_IFSOCK, and S_IFBLK has one of them",
		example: "directory /\n-- src --\nb block 7:0\n",
		excuse: func(x *comparison) bool {
			return x.differing(func(ours, theirs *treetest.Item) {
				if ours.Kind == tree.KindBlockDevice && theirs.Kind == tree.KindCharDevice {
					ours.Kind = theirs.Kind
				}
			})
		},
	},
	{
		name:    "a socket becomes an empty file",
		why:     "fsutil copies it as a stub, for nobody listens; we carry it",
		example: "directory /\n-- src --\ns socket\n",
		excuse: func(x *comparison) bool {
			return x.differing(func(ours, theirs *treetest.Item) {
				if ours.Kind == tree.KindSocket && theirs.Kind == tree.KindFile && theirs.Size == 0 {
					ours.Kind, ours.Same = theirs.Kind, theirs.Same
				}
			})
		},
	},
	nodeHardlinks,
	{
		name:    "hardlinks from one source to another are separate",
		why:     "each source, and each match of a pattern, is a copy of its own; names of one inode stay that with us (3.6)",
		example: "copy /a /b /d/\n-- src --\na = a\nb == a\n",
		excuse: func(x *comparison) bool {
			return x.paths > 1 && x.splitGroups(func([]treetest.Item) bool { return true })
		},
	},
}

// nodeHardlinks is what BuildKit does wherever it copies.
var nodeHardlinks = ownDifference{
	name:    "hardlinks of what is no file are separate",
	why:     "fsutil looks at the link count of regular files alone",
	example: "directory /\n-- src --\np fifo\nq == p\n",
	excuse: func(x *comparison) bool {
		return x.splitGroups(func(group []treetest.Item) bool { return group[0].Kind != tree.KindFile })
	},
}

// rootAttributes is what becomes of the root on every layer.
var rootAttributes = ownDifference{
	name: "the root has mode 0755 and no extended attributes", minor: true,
	why:     "each step is a directory of containerd's overlay snapshotter, which takes over the owner of the one below, and nothing else",
	example: "copy /f /f\n-- dst --\n/ {0700 user.k=v}\n-- src --\nf = f\n",
	excuse: func(x *comparison) bool {
		return x.differing(func(ours, theirs *treetest.Item) {
			if ours.Path == "/" && theirs.Attr.Mode == 0o755 && theirs.Attr.Xattrs == (tree.Xattrs{}) {
				theirs.Attr.Mode, theirs.Attr.Xattrs = ours.Attr.Mode, ours.Attr.Xattrs
			}
		})
	},
}
