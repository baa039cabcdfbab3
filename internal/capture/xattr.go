package capture

import (
	"bytes"
	"errors"
	"strings"
	"sync/atomic"
	"unsafe"

	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sys/unix"
)

// xattrReader reads extended attributes of names in open directories.
type xattrReader struct {
	old atomic.Bool // the kernel has no listxattrat(2), which came with Linux 6.13
}

// read gives the extended attributes of name in d, or of d itself when name is
// empty, but for those that belong to the host.
func (r *xattrReader) read(d *openDir, name string, buf []byte) (map[string]string, error) {
	n, err := r.list(d, name, buf)
	if err != nil || n == 0 {
		if errors.Is(err, unix.ENOTSUP) {
			err = nil
		}
		return nil, err
	}
	var out map[string]string
	list := string(buf[:n])
	for list != "" {
		var attr string
		attr, list, _ = strings.Cut(list, "\x00")
		if attr == "" || IsHostXattr(attr) {
			continue
		}
		value, err := r.get(d, name, attr, buf)
		if errors.Is(err, unix.ENODATA) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if out == nil {
			out = map[string]string{}
		}
		out[attr] = value
	}
	return out, nil
}

func (r *xattrReader) list(d *openDir, name string, buf []byte) (int, error) {
	if name == "" {
		return retry(func() (int, error) { return unix.Flistxattr(d.fd, buf) })
	}
	if !r.old.Load() {
		n, err := listxattrat(d.fd, name, buf)
		if err != unix.ENOSYS && err != unix.EPERM {
			return n, err
		}
		r.old.Store(true) // or a sandbox forbids it
	}
	return retry(func() (int, error) { return unix.Llistxattr(d.proc(name), buf) })
}

func (r *xattrReader) get(d *openDir, name, attr string, buf []byte) (string, error) {
	n, err := retry(func() (int, error) {
		if name == "" {
			return unix.Fgetxattr(d.fd, attr, buf)
		}
		return unix.Lgetxattr(d.proc(name), attr, buf)
	})
	if err != nil {
		return "", err
	}
	return string(buf[:n]), nil
}

func retry(call func() (int, error)) (int, error) {
	for {
		if n, err := call(); err != unix.EINTR {
			return n, err
		}
	}
}

func listxattrat(dir int, name string, buf []byte) (int, error) {
	var room [tree.MaxName + 1]byte
	if len(name) >= len(room) || bytes.IndexByte([]byte(name), 0) >= 0 {
		return 0, unix.ENAMETOOLONG
	}
	copy(room[:], name)
	for {
		n, _, errno := unix.Syscall6(unix.SYS_LISTXATTRAT, uintptr(dir), uintptr(unsafe.Pointer(&room[0])),
			unix.AT_SYMLINK_NOFOLLOW, uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), 0)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}

// IsHostXattr tells of extended attributes that are a host's own books, which are never
// captured: see [Options].
func IsHostXattr(name string) bool {
	switch name {
	case "security.selinux", "security.ima", "security.evm", "security.apparmor",
		"system.nfs4_acl", "system.nfs4_dacl", "system.nfs4_sacl", "system.richacl",
		"system.cifs_acl", "system.smb3_acl", "system.ntfs_acl", "system.ntfs_attrib", "system.ntfs_attrib_be":
		return true
	}
	for _, prefix := range []string{"btrfs.", "ceph.", "cifs.", "gluster.", "glusterfs.", "lustre.", "smb3."} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
