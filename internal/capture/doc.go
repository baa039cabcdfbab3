// Package capture makes values of what is on disk.
//
//   - A capture of a directory of the host is a tree: [Directory]. A file is
//     captured by [File].
//   - A capture of the upper directory of an overlay mount is the change set
//     that the processes in that mount made to its base: [Upper].
//
// Bodies of files go to a [Sink] or an [Adopter]; trees and change sets stay in
// memory.
//
// # What is read
//
// A walk goes by descriptors and never through a symlink, so that a directory
// which is replaced by a symlink under way leads nowhere else. Files, symlinks,
// devices, fifos and sockets are kept as what they are; only regular files are
// opened. Names of one inode become one hardlink group. Holes of sparse files
// are taken as zeros without being read. Extended attributes of all namespaces
// that the process may read are kept, but for those in which a host's kernel
// keeps its own books (see [Options]).
//
// A file that changes while it is read is read again, and then refused with a
// [ChangedError]; a capture holds no half-written file. It is no snapshot: two
// files may be seen at different moments.
package capture
