// Package layer reads and writes layers: change sets as tar streams, as the OCI
// image specification has them (image-spec, layer.md).
//
//   - [Read] gives the change set that a layer is, and [Write] writes one.
//   - [ReadTree] and [WriteTree] do the same for a plain tar of a whole tree, in
//     which names that start with ".wh." mean nothing.
//
// Streams are read and written without compression. Bodies of files go to a
// [Blobs] while they are read, and come from an [OpenBlob] when they are
// written; they are never in memory as a whole, except small ones.
//
// How a layer is understood:
//
//   - A whiteout ".wh.x" removes x of the layers below; an opaque marker
//     ".wh..wh..opq" removes all that the directory held there. Neither touches
//     what its own layer adds, wherever in the tar it stands. Other names that
//     start with ".wh..wh." are leftovers of AUFS and mean nothing, except that
//     hardlinks may lead to files in ".wh..wh.plnk".
//   - A later entry for a name replaces an earlier one with all below it, markers
//     too, except that a directory is laid over a directory.
//   - A parent without an entry is a directory of which nothing is said: where
//     the layers below have a directory that the layer does not hide, its
//     attributes stay; a symlink is replaced.
//   - A hardlink leads to the name as the layer had it before; if there was none
//     then to the one that comes later; if there is none at all then to the one
//     of the layers below.
//   - Names are cleaned of leading "/" and of "." between slashes. Names with
//     "..", names that no directory can hold, and entries below something that
//     the layer itself makes a file or a symlink, are errors. So are bytes after
//     the end other than zeros; a missing end marker is not.
//   - Sockets cannot be in a tar. Writers leave them out and tell so.
package layer
