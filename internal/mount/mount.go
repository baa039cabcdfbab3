//go:build linux

package mount

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Mount is a mounted file system by descriptor.
type Mount struct {
	fd int
}

// Fd is the descriptor of the mount's root, opened with O_PATH. It is the
// mount's own: it is closed with it.
func (m *Mount) Fd() int { return m.fd }

// Close gives the descriptor up. A mount that was not attached is gone then, as
// soon as no file system is stacked on it and nobody has a file of it open.
func (m *Mount) Close() error {
	if m == nil || m.fd < 0 {
		return nil
	}
	fd := m.fd
	m.fd = -1
	return os.NewSyscallError("close", unix.Close(fd))
}

// Attach shows the mount at dir, in the mount namespace of the calling thread.
// Nothing is propagated to other namespaces. The path has no symlink at its end.
func (m *Mount) Attach(dir string) error {
	if err := unix.MoveMount(m.fd, "", unix.AT_FDCWD, dir, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return &os.PathError{Op: "move_mount", Path: dir, Err: err}
	}
	// The parent may be shared, and then so is what is mounted in it.
	err := unix.MountSetattr(m.fd, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, &unix.MountAttr{Propagation: unix.MS_PRIVATE})
	if err != nil {
		return errors.Join(&os.PathError{Op: "mount_setattr", Path: dir, Err: err}, Detach(dir))
	}
	return nil
}

// Clone gives another mount of what is mounted at dir, in no directory: the
// directory alone, without what is mounted below it.
func Clone(dir string) (*Mount, error) {
	fd, err := unix.OpenTree(unix.AT_FDCWD, dir, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC|unix.AT_SYMLINK_NOFOLLOW)
	if err != nil {
		return nil, &os.PathError{Op: "open_tree", Path: dir, Err: err}
	}
	return &Mount{fd}, nil
}

// ErrBusy is the error of a mount that somebody uses: who has a file of it open,
// or is in a directory of it.
var ErrBusy = errors.New("the mount is in use")

// Unmount takes away what is mounted at dir. When it succeeds nobody has a file
// of it open. A mount in use stays and is [ErrBusy].
func Unmount(dir string) error {
	err := unix.Unmount(dir, unix.UMOUNT_NOFOLLOW)
	if errors.Is(err, unix.EBUSY) {
		return fmt.Errorf("unmount %s: %w: a process still has a file of it open", dir, ErrBusy)
	}
	if err != nil {
		return &os.PathError{Op: "unmount", Path: dir, Err: err}
	}
	return nil
}

// Detach takes away what is mounted at dir, and all below it, at once; who uses
// it keeps it until he ends.
func Detach(dir string) error {
	if err := unix.Unmount(dir, unix.UMOUNT_NOFOLLOW|unix.MNT_DETACH); err != nil {
		return &os.PathError{Op: "unmount", Path: dir, Err: err}
	}
	return nil
}

// IsMounted tells whether dir is the root of a mount.
func IsMounted(dir string) (bool, error) {
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, dir, unix.AT_SYMLINK_NOFOLLOW, 0, &st); err != nil {
		return false, &os.PathError{Op: "statx", Path: dir, Err: err}
	}
	return st.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0, nil
}
