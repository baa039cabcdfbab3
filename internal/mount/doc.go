// Package mount has the system calls that mounts are made of: an image of EROFS
// from its file or through a loop device, overlayfs with lower directories by
// descriptor, and mount namespaces that end with their process.
//
// A [Mount] is a mounted file system that is in no directory yet. It is gone
// when it is closed, or when the process dies, so nothing that goes wrong on the
// way leaves a mount behind. [Mount.Attach] shows it at a path, and from then on
// it stays until [Unmount]. In a [Namespace] of its own even that ends with the
// process.
//
// It needs Linux and CAP_SYS_ADMIN; on other systems every call fails with
// [errors.ErrUnsupported].
package mount
