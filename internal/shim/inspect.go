//go:build linux

package shim

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Inspect says of some paths of a directory, in a file of JSON, what a daemon does not
// copy as it is: see [Odd]. It reads names and attributes of all that is there, and
// follows no symlink below the directory.
func Inspect(root, list, out string) error {
	b, err := os.ReadFile(list)
	if err != nil {
		return err
	}
	paths, err := decodePaths(b)
	if err != nil {
		return fmt.Errorf("%s: %w", list, err)
	}
	d, err := newDescent(root)
	if err != nil {
		return err
	}
	defer d.close()
	odd := inspection{names: map[inodeID]string{}}
	for _, p := range paths {
		dir, name, err := d.parent(p)
		if err == nil {
			err = odd.look(dir, name, p)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
	}
	o, err := openOut(out)
	if err != nil {
		return err
	}
	defer o.close()
	text, err := odd.encode()
	if err != nil {
		return err
	}
	return o.write(OddFile, text)
}

// inspection is an Odd that is being found. That a file has several links does not say that
// it has several names here: merges link files between snapshots.
type inspection struct {
	Odd
	names map[inodeID]string // the path at which it was met
}

type inodeID struct{ dev, ino uint64 }

// again tells whether an inode was met under another name.
func (o *inspection) again(st unix.Stat_t, p string) bool {
	if st.Nlink == 1 {
		return false
	}
	of := inodeID{st.Dev, st.Ino}
	first, ok := o.names[of]
	if !ok {
		o.names[of] = p
	}
	return ok && first != p
}

// look takes up what is at and below a name.
func (o *inspection) look(dir int, name, p string) error {
	var st unix.Stat_t
	if err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	switch kind := st.Mode & unix.S_IFMT; {
	case kind == unix.S_IFDIR:
		return o.below(dir, name, p)
	case kind == unix.S_IFSOCK || kind == unix.S_IFBLK || kind != unix.S_IFREG && o.again(st, p):
		if o.Node == "" {
			o.Node = p
		}
	case kind == unix.S_IFREG && o.again(st, p) && o.Linked == "":
		o.Linked = p
	}
	return nil
}

func (o *inspection) below(dir int, name, p string) error {
	f, err := openDir(dir, name)
	if err != nil {
		return err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return err
	}
	var errs []error
	for _, n := range names {
		errs = append(errs, o.look(int(f.Fd()), n, filepath.Join(p, n)))
	}
	return errors.Join(errs...)
}
