//go:build linux

package shim

import (
	"crypto/rand"
	"errors"
	"fmt"
	"path"

	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sys/unix"
)

// inherit gives directories that were made in the root before it had its attributes
// what they would have inherited of it: the group of a set-group-id directory, and what
// an access control list says of new ones. One that is made for that tells.
func (s Spec) inherit(d *descent) (err error) {
	list := madeIn("/", s.Made)
	if len(list) == 0 {
		return nil
	}
	x, model := newAttrs(), ".inlay-"+rand.Text()
	if err := unix.Mkdirat(d.root, model, 0o755); err != nil {
		return fmt.Errorf("see what a new directory in / is like: %w", err)
	}
	var st unix.Stat_t
	err = unix.Fstatat(d.root, model, &st, unix.AT_SYMLINK_NOFOLLOW)
	var have map[string]string
	if err == nil {
		have, err = x.xattrs(procPath(d.root, model))
	}
	if err = errors.Join(err, unix.Unlinkat(d.root, model, unix.AT_REMOVEDIR)); err != nil {
		return fmt.Errorf("see what a new directory in / is like: %w", err)
	}
	for _, p := range list {
		if err := x.makeLike(d, p, &st, tree.NewXattrs(have)); err != nil {
			return changeError("set attributes", p, err)
		}
	}
	return nil
}

// makeLike gives a directory all attributes but the time.
func (x attrs) makeLike(d *descent, p string, st *unix.Stat_t, xattrs tree.Xattrs) error {
	dir, name, err := d.parent(p)
	if err == nil {
		err = unix.Fchownat(dir, name, int(st.Uid), int(st.Gid), unix.AT_SYMLINK_NOFOLLOW)
	}
	if err == nil {
		err = x.setXattrs(dir, name, xattrs)
	}
	if err == nil {
		err = unix.Fchmodat(dir, name, st.Mode&0o7777, 0)
	}
	return err
}

// madeIn gives those directories that were made in one, and in such ones. Those above
// come first.
func madeIn(dir string, made []string) (out []string) {
	in := map[string]bool{dir: true}
	for _, p := range made {
		if in[path.Dir(p)] {
			in[p] = true
			out = append(out, p)
		}
	}
	return out
}

// found remembers directories, to tell later which ones are as they were found.
type found map[string]unix.Stat_t

func (s Spec) made() (found, error) {
	f := found{}
	d, err := newDescent("/")
	if err != nil {
		return nil, err
	}
	defer d.close()
	for _, p := range s.Made {
		dir, name, err := d.parent(p)
		var st unix.Stat_t
		if err == nil {
			err = unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW)
		}
		if err != nil {
			return nil, changeError("find", p, err)
		}
		f[p] = st
	}
	return f, nil
}

// left tells what became of the directories, in this order: of those that are there.
func (f found) left(dirs []string) (out []Made, err error) {
	d, err := newDescent("/")
	if err != nil {
		return nil, err
	}
	defer d.close()
	for _, p := range dirs {
		dir, name, err := d.parent(p)
		var now unix.Stat_t
		if err == nil {
			err = unix.Fstatat(dir, name, &now, unix.AT_SYMLINK_NOFOLLOW)
		}
		if err != nil || now.Mode&unix.S_IFMT != unix.S_IFDIR {
			continue
		}
		m := Made{Path: p}
		if m.Attr, err = attrOf(procPath(dir, name)); err != nil {
			return nil, err
		}
		was := f[p]
		m.Changed = now.Ino != was.Ino || now.Dev != was.Dev || now.Mode != was.Mode || now.Uid != was.Uid || now.Gid != was.Gid
		out = append(out, m)
	}
	return out, nil
}
