// Package checkout brings trees to disk: as the root of a process ([Roots]), or
// as a directory ([ToDirectory]).
//
// # Mountable roots
//
// A root is an overlay:
//
//	upper          what the process writes: fresh, the caller captures it
//	delta images   what changed since the base image: at most a few
//	base image     all names and attributes of a tree, by package erofs
//	blobs          the content of all files, as the store has it
//
// No file is copied, and a tree that differs little from one that was mounted
// before costs an image of the difference. Where the kernel cannot do that,
// other methods make a lower directory of the same look: see [Method]. All are
// held to one law, that the root shows the tree.
//
// # On disk
//
//	roots/erofs1-<digest>/image    base image of a tree: a cache
//	roots/meta1-<digest>/tree      the same as a directory, for [Metadata]
//	roots/copy1-<digest>/tree      the same as a directory, for [Copy]
//	roots/run-<random>/            one root: root (mount point), upper, work
//
// A kernel lock on an entry of roots/ says that somebody uses it: who is about
// to remove one takes the lock first (flock, exclusive). Delta images have no
// name, and end with their process. What a killed process leaves is taken away
// by [Sweep].
package checkout
