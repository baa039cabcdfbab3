package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/inlaybuild/inlay/digest"
	"golang.org/x/sys/unix"
)

// Adopt makes the file at path a blob without reading it, by moving it. The
// caller knows its digest and size, and that nobody has it open for writing. A
// file with other names, or on another file system, is copied, and then its
// digest is verified. Afterwards the file may be at path still, or not.
func (in *Ingest) Adopt(ctx context.Context, path string, d digest.Digest, size int64) error {
	if known, err := in.known(ctx, d, size); known || err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return fmt.Errorf("adopt: %w", err)
	}
	defer f.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return fmt.Errorf("adopt %s: %w", path, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return fmt.Errorf("adopt %s: not a regular file", path)
	}
	if st.Size != size {
		return fmt.Errorf("adopt %s: %w: %d bytes where %d were due", path, digest.ErrMismatch, st.Size, size)
	}
	if st.Nlink == 1 {
		if name, err := in.newName(); err != nil {
			return fmt.Errorf("adopt: %w", err)
		} else if os.Rename(path, filepath.Join(in.path, name)) == nil {
			if err := own(f); err != nil {
				return errors.Join(fmt.Errorf("adopt %s: %w", path, err), os.Remove(filepath.Join(in.path, name)))
			}
			return in.add(d, pending{name, size})
		}
	}
	_, _, err = in.Put(ctx, digest.Verify(f, d, size))
	return err
}

// own makes an open file look as if the store had written it: its owner, no
// write or set-id bits, no extended attributes.
func own(f *os.File) error {
	fd := int(f.Fd())
	if err := unix.Fchown(fd, os.Geteuid(), os.Getegid()); err != nil {
		return err
	}
	if err := unix.Fchmod(fd, 0o444); err != nil {
		return err
	}
	list := make([]byte, 64<<10) // the most that Linux has
	n, err := unix.Flistxattr(fd, list)
	if errors.Is(err, unix.ENOTSUP) {
		return nil
	} else if err != nil {
		return err
	}
	for _, name := range strings.Split(strings.TrimRight(string(list[:n]), "\x00"), "\x00") {
		if name == "" || name == "security.selinux" { // the policy's, and not removable
			continue
		}
		if err := unix.Fremovexattr(fd, name); err != nil {
			return fmt.Errorf("remove xattr %s: %w", name, err)
		}
	}
	return nil
}
