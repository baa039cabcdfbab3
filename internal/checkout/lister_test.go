//go:build linux

package checkout_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/erofs"
	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sys/unix"
)

// blobs is a directory of blobs as the store has it.
type blobs struct{ dir string }

func newBlobs(t testing.TB) *blobs { return &blobs{tempDir(t)} }

// tempDir is a directory on the file system of the store, and not on tmpfs.
func tempDir(t testing.TB) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: mounts and owners")
	}
	dir, err := os.MkdirTemp("/var/tmp", "inlay-checkout-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func (b *blobs) path(d digest.Digest) string { return b.dir + erofs.BlobPath(d) }

func (b *blobs) put(t testing.TB, content string) tree.File {
	if content == "" {
		return tree.File{}
	}
	d := digest.Of([]byte(content))
	path := b.path(d)
	if _, err := os.Lstat(path); err != nil {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o400); err != nil {
			t.Fatal(err)
		}
	}
	return tree.File{Size: int64(len(content)), Content: d}
}

func (b *blobs) open(_ context.Context, d digest.Digest) (io.ReadCloser, error) {
	return os.Open(b.path(d))
}

// row is all that a tree says of a name, as text.
func row(kind tree.Kind, mode uint32, uid, gid uint32, sec int64, nsec int64, x string, rest string) string {
	return fmt.Sprintf("%v %04o %d:%d %d.%09d [%s] %s", kind, mode, uid, gid, sec, nsec, x, rest)
}

// listTree gives the rows of a tree.
func listTree(t testing.TB, tr tree.Tree) map[string]string {
	t.Helper()
	rows := map[string]string{}
	items := []tree.Item{}
	for it, err := range tree.Walk(t.Context(), tr, tree.WalkOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		items = append(items, it)
	}
	for _, it := range items {
		a := it.Entry.Attr()
		var x []string
		for k, v := range a.Xattrs.All() {
			x = append(x, fmt.Sprintf("%q=%q", k, v))
		}
		rest := ""
		switch e := it.Entry.(type) {
		case tree.File:
			rest = fmt.Sprint(e.Size)
			if e.Size > 0 {
				rest += " " + e.Content.String()
			}
		case tree.Symlink:
			rest = fmt.Sprintf("%q", e.Target)
		case tree.Device:
			rest = fmt.Sprintf("%d,%d", e.Major, e.Minor)
		}
		if it.Link != nil && it.Link.Names > 1 {
			rest += fmt.Sprintf(" = %q of %d", it.Link.First, it.Link.Names)
		}
		rows[it.Path] = row(it.Entry.Kind(), uint32(a.Mode), a.UID, a.GID, a.ModTime.Sec, int64(a.ModTime.Nsec), strings.Join(x, " "), rest)
	}
	return rows
}

// listDir gives the rows of a directory of the host, by lstat and its kin.
func listDir(t testing.TB, dir string) map[string]string {
	t.Helper()
	l := &lister{t: t, root: dir, rows: map[string]string{}, groups: map[[2]uint64][]string{}, nlink: map[[2]uint64]uint64{}}
	l.name("/")
	for key, g := range l.groups {
		sort.Slice(g, func(i, j int) bool { return tree.ComparePaths(g[i], g[j]) < 0 })
		if l.nlink[key] != uint64(len(g)) {
			t.Errorf("%q: the kernel says %d names, there are %d", g, l.nlink[key], len(g))
		}
		if len(g) > 1 {
			for _, p := range g {
				l.rows[p] += fmt.Sprintf(" = %q of %d", g[0], len(g))
			}
		}
	}
	return l.rows
}

type lister struct {
	t      testing.TB
	root   string
	rows   map[string]string
	groups map[[2]uint64][]string
	nlink  map[[2]uint64]uint64
}

func (l *lister) name(p string) {
	full := l.root + p
	var st unix.Stat_t
	if err := unix.Lstat(full, &st); err != nil {
		l.t.Errorf("lstat %q: %v", full, err)
		return
	}
	var kind tree.Kind
	rest := ""
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		kind = tree.KindDirectory
		names, err := os.ReadDir(full)
		if err != nil {
			l.t.Errorf("readdir %q: %v", full, err)
		}
		for _, n := range names {
			l.name(strings.TrimSuffix(p, "/") + "/" + n.Name())
		}
	case unix.S_IFREG:
		kind = tree.KindFile
		rest = fmt.Sprint(st.Size)
		if st.Size > 0 {
			f, err := os.Open(full)
			if err != nil {
				l.t.Errorf("%v", err)
				return
			}
			h := digest.NewHasher()
			if _, err := io.Copy(h, f); err != nil {
				l.t.Errorf("read %q: %v", full, err)
			}
			f.Close()
			rest += " " + h.Digest().String()
		}
	case unix.S_IFLNK:
		kind = tree.KindSymlink
		target, err := os.Readlink(full)
		if err != nil {
			l.t.Errorf("%v", err)
		}
		rest = fmt.Sprintf("%q", target)
	case unix.S_IFCHR, unix.S_IFBLK:
		kind = tree.KindCharDevice
		if st.Mode&unix.S_IFMT == unix.S_IFBLK {
			kind = tree.KindBlockDevice
		}
		rest = fmt.Sprintf("%d,%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
	case unix.S_IFIFO:
		kind = tree.KindFifo
	case unix.S_IFSOCK:
		kind = tree.KindSocket
	}
	l.rows[p] = row(kind, st.Mode&0o7777, st.Uid, st.Gid, st.Mtim.Sec, st.Mtim.Nsec, l.xattrs(full), rest)
	if kind != tree.KindDirectory {
		key := [2]uint64{st.Dev, st.Ino}
		l.groups[key] = append(l.groups[key], p)
		l.nlink[key] = uint64(st.Nlink)
	}
}

func (l *lister) xattrs(full string) string {
	list := make([]byte, 1<<16)
	n, err := unix.Llistxattr(full, list)
	if err != nil {
		l.t.Errorf("llistxattr %q: %v", full, err)
		return ""
	}
	var x []string
	for _, k := range bytes.Split(bytes.TrimSuffix(list[:n], []byte{0}), []byte{0}) {
		if len(k) == 0 {
			continue
		}
		v := make([]byte, 1<<16)
		n, err := unix.Lgetxattr(full, string(k), v)
		if err != nil {
			l.t.Errorf("lgetxattr %q %q: %v", full, k, err)
			continue
		}
		x = append(x, fmt.Sprintf("%q=%q", k, v[:n]))
	}
	sort.Strings(x)
	return strings.Join(x, " ")
}

// compare holds two listings against each other.
func compare(t testing.TB, want, got map[string]string) {
	t.Helper()
	bad := 0
	complain := func(format string, args ...any) {
		t.Helper()
		if bad++; bad <= 10 {
			t.Errorf(format, args...)
		}
	}
	for p, w := range want {
		if g, ok := got[p]; !ok {
			complain("%q: missing", p)
		} else if g != w {
			complain("%q:\n got %.600s\nwant %.600s", p, g, w)
		}
	}
	for p, g := range got {
		if _, ok := want[p]; !ok {
			complain("%q: not in the tree: %.300s", p, g)
		}
	}
	if bad > 10 {
		t.Errorf("and %d more", bad-10)
	}
}
