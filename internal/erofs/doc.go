// Package erofs writes images of the read-only file system EROFS that hold a
// tree's metadata and none of its content.
//
// Such an image is a lower directory of overlayfs. Every regular file in it has
// two extended attributes, trusted.overlay.metacopy and
// trusted.overlay.redirect, by which overlayfs finds its content in a data-only
// lower directory: that of the blobs. So a tree of any size is mounted at the
// cost of its names, and its files are the blobs themselves, shared in the page
// cache with every other root.
//
// [Write] writes the image of what [FromTree] or a [Delta] gives. A delta holds
// only what changed between two trees, as whiteouts and opaque directories, and
// is stacked on the image of the older one.
//
// # Format
//
// An image is, in blocks of 4096 bytes, all numbers little-endian:
//
//	block 0    1024 bytes of zero; the superblock; one shared xattr
//	block 1... inodes, each with its xattrs and what is stored inline
//	then       blocks of directories and symlinks that are too large for that
//
// The structures are those of the kernel's fs/erofs/erofs_fs.h, described in
// Documentation/filesystems/erofs.rst and at https://erofs.docs.kernel.org. Each
// has a file here: superblock.go, inode.go, dirent.go, xattr.go. layout.go says
// where they go.
//
// Equal trees give equal images, byte for byte.
package erofs
