package capture_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sys/unix"
)

// fatal is what tests and property tests share.
type fatal interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

// listTree lists a tree, a line an entry.
func listTree(t fatal, tr tree.Tree) string {
	t.Helper()
	var lines []string
	for it, err := range tree.Walk(context.Background(), tr, tree.WalkOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		a := it.Entry.Attr()
		kind, rest := "", ""
		switch e := it.Entry.(type) {
		case tree.Tree:
			kind = "d"
		case tree.File:
			kind = "-"
			sum := e.Content
			if e.Size == 0 {
				sum = digest.Of(nil)
			}
			rest = fmt.Sprintf("%d %s", e.Size, sum.Hex()[:16])
		case tree.Symlink:
			kind, rest = "l", fmt.Sprintf("%q", e.Target)
		case tree.Device:
			kind, rest = "c", fmt.Sprintf("%d:%d", e.Major, e.Minor)
			if e.Block {
				kind = "b"
			}
		case tree.Fifo:
			kind = "p"
		case tree.Socket:
			kind = "s"
		}
		for n, v := range a.Xattrs.All() {
			rest += fmt.Sprintf(" %s=%x", n, v)
		}
		if it.Link != nil {
			rest += " link " + it.Link.First
		}
		lines = append(lines, fmt.Sprintf("%q %s%04o %d:%d %d.%09d %s", it.Path, kind, a.Mode, a.UID, a.GID, a.ModTime.Sec, a.ModTime.Nsec, rest))
	}
	return strings.Join(lines, "\n")
}

// listDisk lists a directory in the same way, by other means.
func listDisk(t fatal, root string) string {
	t.Helper()
	type found struct {
		path, line string
		inode      [2]uint64
		dir        bool
	}
	var all []found
	names := map[[2]uint64][]string{}
	err := filepath.WalkDir(root, func(p string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(p, &st); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		kind, rest, mode := "", "", st.Mode&0o7777
		dev := fmt.Sprintf("%d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFDIR:
			kind = "d"
		case unix.S_IFREG:
			b, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			kind, rest = "-", fmt.Sprintf("%d %s", st.Size, digest.Of(b).Hex()[:16])
		case unix.S_IFLNK:
			target, err := os.Readlink(p)
			if err != nil {
				return err
			}
			kind, rest, mode = "l", fmt.Sprintf("%q", target), 0o777
		case unix.S_IFCHR:
			kind, rest = "c", dev
		case unix.S_IFBLK:
			kind, rest = "b", dev
		case unix.S_IFIFO:
			kind = "p"
		case unix.S_IFSOCK:
			kind = "s"
		}
		x, err := diskXattrs(p)
		if err != nil {
			return fmt.Errorf("xattrs of %s: %w", p, err)
		}
		rest += x
		rel := "/" + strings.TrimPrefix(strings.TrimPrefix(p, root), "/")
		f := found{rel, fmt.Sprintf("%q %s%04o %d:%d %d.%09d %s", rel, kind, mode, st.Uid, st.Gid, st.Mtim.Sec, st.Mtim.Nsec, rest), [2]uint64{st.Dev, st.Ino}, kind == "d"}
		all = append(all, f)
		if !f.dir {
			names[f.inode] = append(names[f.inode], rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(all, func(a, b found) int { return tree.ComparePaths(a.path, b.path) })
	var lines []string
	for _, f := range all {
		if g := names[f.inode]; !f.dir && len(g) > 1 {
			f.line += " link " + slices.MinFunc(g, tree.ComparePaths)
		}
		lines = append(lines, f.line)
	}
	return strings.Join(lines, "\n")
}

func diskXattrs(p string) (string, error) {
	buf := make([]byte, 64<<10)
	n, err := unix.Llistxattr(p, buf)
	if err != nil || n == 0 {
		return "", err
	}
	list := strings.Split(strings.TrimSuffix(string(buf[:n]), "\x00"), "\x00")
	slices.Sort(list)
	out := ""
	for _, name := range list {
		n, err := unix.Lgetxattr(p, name, buf)
		if err != nil {
			return "", err
		}
		out += fmt.Sprintf(" %s=%x", name, buf[:n])
	}
	return out, nil
}

// same fails with the lines in which two listings differ.
func same(t fatal, got, want, context string) {
	t.Helper()
	if got == want {
		return
	}
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	var b strings.Builder
	for _, l := range w {
		if !slices.Contains(g, l) {
			fmt.Fprintf(&b, "want %s\n", l)
		}
	}
	for _, l := range g {
		if !slices.Contains(w, l) {
			fmt.Fprintf(&b, "got  %s\n", l)
		}
	}
	t.Fatalf("%sthe listings differ:\n%s", context, b.String())
}

func needRoot(t testing.TB) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: makes devices, owners and mounts")
	}
}
