// Package shim is what Inlay runs inside containers of others, such as a BuildKit
// daemon's, and what it says there: the program inlay-shim and the files by which
// its client and it understand each other.
//
// Each of the program's verbs reads files that the client has put there and writes files
// that the client reads, or streams; all are made by this package.
//
//   - [Exec] runs a process from a [Spec], as package runtime does, and leaves its
//     output and its [Exit].
//   - [Survey] makes a tree of a directory and leaves its nodes, which the client
//     reads as a [Pack]. No content is kept.
//   - [Inspect] tells what of some paths a daemon does not copy as it is: [Odd].
//   - [Enter] runs a process for a person, on its own streams, and says among what that
//     writes how it ended: the client has an [Ear] for it. Beside it [Look] tells
//     what was left, as a [Looked], and [Give] gives contents.
//   - [Apply] changes a directory by a list of [Change], for what copying files
//     cannot do. [List] makes such a list of two trees.
//
// The client and the program may be of different builds: what they exchange bears
// a [Version].
//
// # What is trusted
//
// The process that Exec runs may be root in the same container, and writes what it
// likes where it can. Exec keeps the output in files without names until no other
// process is left, cannot be traced, and makes its files at the end, in the place of
// whatever stands there by then. So what it leaves is what it saw. What Enter says bears a
// mark that no process can know. Survey, Look, Inspect, Give and Apply run where no other
// process does, or none any more; the trees that they work on may be anybody's, and
// no symlink in them is followed.
package shim

// Version is that of the files that are exchanged. Files of another version are
// refused.
const Version = 2

// Program is the name of the program.
const Program = "inlay-shim"
