package layer_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sys/unix"
)

// line is how both listings show an entry.
func line(path string, kind tree.Kind, a tree.Attr, content string) string {
	var x []string
	for name, value := range a.Xattrs.All() {
		x = append(x, fmt.Sprintf("%s=%x", name, value))
	}
	if kind == tree.KindSymlink {
		a.Mode = 0o777
	}
	return fmt.Sprintf("%q %s %o %d:%d %d.%09d [%s] %s", path, kind, a.Mode, a.UID, a.GID, a.ModTime.Sec, a.ModTime.Nsec, strings.Join(x, " "), content)
}

// linkLines adds the groups of hardlinks.
func linkLines(lines []string, groups [][]string) []string {
	for _, g := range groups {
		slices.Sort(g)
		lines = append(lines, fmt.Sprintf("one inode: %q", g))
	}
	slices.Sort(lines)
	return lines
}

func listDisk(t testing.TB, root string) []string {
	t.Helper()
	var lines []string
	inodes := map[uint64][]string{}
	err := filepath.WalkDir(root, func(p string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(p, &st); err != nil {
			return fmt.Errorf("lstat %s: %w", p, err)
		}
		at := "/" + strings.TrimPrefix(strings.TrimPrefix(p, root), "/")
		a := tree.Attr{Mode: tree.Mode(st.Mode & 0o7777), UID: st.Uid, GID: st.Gid,
			ModTime: tree.Time{Sec: st.Mtim.Sec, Nsec: uint32(st.Mtim.Nsec)}, Xattrs: diskXattrs(t, p)}
		var kind tree.Kind
		content := ""
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFDIR:
			kind = tree.KindDirectory
		case unix.S_IFREG:
			kind = tree.KindFile
			b, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			content = fmt.Sprintf("%d %x", len(b), sha256.Sum256(b))
		case unix.S_IFLNK:
			kind = tree.KindSymlink
			content, _ = os.Readlink(p)
		case unix.S_IFCHR, unix.S_IFBLK:
			kind = tree.KindCharDevice
			if st.Mode&unix.S_IFMT == unix.S_IFBLK {
				kind = tree.KindBlockDevice
			}
			content = fmt.Sprintf("%d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
		case unix.S_IFIFO:
			kind = tree.KindFifo
		case unix.S_IFSOCK:
			kind = tree.KindSocket
		}
		if kind != tree.KindDirectory && st.Nlink > 1 {
			inodes[st.Ino] = append(inodes[st.Ino], at)
		}
		lines = append(lines, line(at, kind, a, content))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var groups [][]string
	for _, g := range inodes {
		if len(g) > 1 { // an overlay counts hidden names too
			groups = append(groups, g)
		}
	}
	return linkLines(lines, groups)
}

func diskXattrs(t testing.TB, p string) tree.Xattrs {
	buf := make([]byte, 64<<10)
	n, err := unix.Llistxattr(p, buf)
	if err != nil {
		t.Fatal(p, err)
	}
	m := map[string]string{}
	for name := range strings.SplitSeq(string(buf[:n]), "\x00") {
		if name == "" {
			continue
		}
		value := make([]byte, 64<<10)
		n, err := unix.Lgetxattr(p, name, value)
		if err != nil {
			t.Fatal(p, name, err)
		}
		m[name] = string(value[:n])
	}
	return tree.NewXattrs(m)
}

func listTree(t testing.TB, m *memory, root tree.Tree) []string {
	t.Helper()
	var lines []string
	for it, err := range tree.Walk(t.Context(), root, tree.WalkOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		content := ""
		switch e := it.Entry.(type) {
		case tree.File:
			b := m.blobs[e.Content]
			content = fmt.Sprintf("%d %x", e.Size, sha256.Sum256(b))
		case tree.Symlink:
			content = e.Target
		case tree.Device:
			content = fmt.Sprintf("%d:%d", e.Major, e.Minor)
		}
		lines = append(lines, line(it.Path, it.Entry.Kind(), it.Entry.Attr(), content))
	}
	groups, err := root.Links(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return linkLines(lines, groups)
}

// same fails the test with the lines that only one listing has.
func same(t testing.TB, want, got []string) {
	t.Helper()
	if slices.Equal(want, got) {
		return
	}
	for _, l := range want {
		if !slices.Contains(got, l) {
			t.Errorf("missing:    %s", l)
		}
	}
	for _, l := range got {
		if !slices.Contains(want, l) {
			t.Errorf("unexpected: %s", l)
		}
	}
	t.FailNow()
}

// apply is what a change set means, told by a draft.
func apply(ctx context.Context, base tree.Tree, cs tree.ChangeSet) (tree.Tree, error) {
	d := tree.NewDraft(base)
	if cs.Root == nil {
		return base, nil
	}
	if err := applyDir(ctx, base, d, d, cs.Root, ""); err != nil {
		return tree.Tree{}, err
	}
	for _, g := range cs.Links {
		d.Link(g...)
	}
	return d.Tree(ctx)
}

func applyDir(ctx context.Context, base tree.Tree, root, d *tree.Draft, c *tree.DirChange, at string) error {
	if c.Attr != nil {
		d.SetAttr(*c.Attr)
	}
	if c.Opaque {
		if err := d.Clear(ctx); err != nil {
			return err
		}
	}
	for name, k := range c.All() {
		switch k := k.(type) {
		case tree.Remove:
			d.Remove(name)
		case tree.Put:
			d.Put(name, k.Entry)
		case tree.Hardlink:
			e, err := base.Lookup(ctx, k.To)
			if err != nil {
				return err
			}
			d.Put(name, e)
			root.Link(at+"/"+name, k.To)
		case *tree.DirChange:
			sub, ok, err := d.Dir(ctx, name)
			if err != nil {
				return err
			}
			if !ok {
				sub = d.MakeDir(name, tree.Empty().Attr())
			}
			if err := applyDir(ctx, base, root, sub, k, at+"/"+name); err != nil {
				return err
			}
		}
	}
	return nil
}

func needRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("owners and devices need root")
	}
}

func needTool(t testing.TB, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("%s is not installed", name)
	}
}

// run runs a command and gives its output.
func run(t testing.TB, stdin []byte, name string, args ...string) []byte {
	t.Helper()
	c := exec.CommandContext(t.Context(), name, args...)
	c.Stdin = strings.NewReader(string(stdin))
	c.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	out, err := c.Output()
	if err != nil {
		msg := ""
		if e, ok := err.(*exec.ExitError); ok {
			msg = string(e.Stderr)
		}
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, msg)
	}
	return out
}

// sample says what the tree on disk that tars are made of holds.
type sample struct {
	nanoseconds, longNames, xattrs, devices, bigIDs, sparse, odd bool

	escaped bool // names of extended attributes that need it
}

// makeSample makes the tree.
func makeSample(t testing.TB, s sample) string {
	t.Helper()
	root := t.TempDir()
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	at := func(p string) string { return filepath.Join(root, p) }
	write := func(p, content string) {
		check(os.MkdirAll(filepath.Dir(at(p)), 0o755))
		check(os.WriteFile(at(p), []byte(content), 0o644))
	}
	write("usr/bin/tool", "#!/bin/sh\n")
	check(os.Chmod(at("usr/bin/tool"), 0o4755))
	write("usr/empty", "")
	write("block", strings.Repeat("x", 512))
	write("large", strings.Repeat("0123456789abcdef", 20_000))
	check(os.Mkdir(at("tmp"), 0o755))
	check(os.Chmod(at("tmp"), 0o1777|os.ModeSticky))
	check(syscall.Chmod(at("tmp"), 0o1777))
	check(os.Symlink("usr/bin", at("bin")))
	check(os.Symlink("/no/where", at("dangling")))
	check(os.Link(at("block"), at("usr/again")))
	check(os.Link(at("usr/empty"), at("zero")))
	write("owned", "o")
	check(os.Lchown(at("owned"), 1000, 2000))
	check(os.Lchown(at("bin"), 7, 8))
	if s.odd {
		write(".wh.x", "a name of AUFS")
		write("ü/\xff\xfe", "not UTF-8")
		write("n\nl/ space ", "odd")
		check(os.Link(at("dangling"), at("dangling2")))
	}
	if s.longNames {
		write(strings.Repeat("d/", 90)+strings.Repeat("n", 255), "deep")
		check(os.Symlink(strings.Repeat("t/", 300), at("longlink")))
		check(os.Link(at(strings.Repeat("d/", 90)+strings.Repeat("n", 255)), at(strings.Repeat("d/", 80)+"link")))
	}
	if s.devices {
		check(unix.Mkfifo(at("fifo"), 0o600))
		check(unix.Mknod(at("null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
		check(unix.Mknod(at("disk"), unix.S_IFBLK|0o660, int(unix.Mkdev(259, 200_000))))
		check(unix.Mknod(at("zz"), unix.S_IFCHR|0o600, int(unix.Mkdev(0, 0))))
	}
	if s.bigIDs {
		write("big", "b")
		check(os.Lchown(at("big"), 4294967294, 3000000))
	}
	if s.xattrs {
		check(unix.Lsetxattr(at("owned"), "user.name", []byte("va\x00lue"), 0))
		check(unix.Lsetxattr(at("owned"), "user.empty", nil, 0))
		if s.escaped {
			check(unix.Lsetxattr(at("owned"), "user.a=b%3Dc%25", []byte("="), 0))
		}
		check(unix.Lsetxattr(at("usr"), "trusted.overlay.x", []byte("t"), 0))
		check(unix.Lsetxattr(at("dangling"), "trusted.link", []byte("l"), 0))
		cap := []byte{1, 0, 0, 2, 0, 32, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
		check(unix.Lsetxattr(at("usr/bin/tool"), "security.capability", cap, 0))
	}
	if s.sparse {
		f, err := os.Create(at("sparse"))
		check(err)
		for i := range 30 {
			_, err = f.WriteAt([]byte("data"), int64(i)*(128<<10)+4096)
			check(err)
		}
		check(f.Truncate(5 << 20))
		check(f.Close())
		f, err = os.Create(at("hole"))
		check(err)
		check(f.Truncate(1 << 20))
		check(f.Close())
	}
	n := int64(0)
	var paths []string
	check(filepath.WalkDir(root, func(p string, _ fs.DirEntry, err error) error {
		paths = append(paths, p)
		return err
	}))
	slices.Reverse(paths)
	for _, p := range paths {
		n++
		ns := int64(0)
		if s.nanoseconds {
			ns = n*1_000_003%999_999_999 + 1
		}
		ts := []unix.Timespec{{Sec: 1_600_000_000 + n, Nsec: ns}, {Sec: 1_600_000_000 + n, Nsec: ns}}
		check(unix.UtimesNanoAt(unix.AT_FDCWD, p, ts, unix.AT_SYMLINK_NOFOLLOW))
	}
	return root
}
