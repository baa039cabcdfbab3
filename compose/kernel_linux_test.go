package compose_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// A process that copies is the judge: the test starts itself as one that enters
// the destination by chroot(2) and copies there with the kernel's own idea of
// paths, the way sections 2 and 3 of the rules say.

const copierVariable = "INLAY_TEST_COPIER"

func TestMain(m *testing.M) {
	if os.Getenv(copierVariable) != "" {
		serveCopies()
		return
	}
	os.Exit(m.Run())
}

// job is one copy of the contents of a directory.
type job struct{ Dst, To, Src string }

func serveCopies() {
	host, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		panic(err)
	}
	in := json.NewDecoder(os.Stdin)
	for {
		var j job
		if in.Decode(&j) != nil {
			return
		}
		fmt.Printf("%q\n", fmt.Sprint(j.run(host)))
	}
}

func (j job) run(host int) error {
	src, err := unix.Open(j.Src, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer unix.Close(src)
	if err := unix.Chroot(j.Dst); err != nil {
		return err
	}
	defer func() {
		if unix.Fchdir(host) != nil || unix.Chroot(".") != nil {
			panic("no way back")
		}
	}()
	if err := os.Chdir("/"); err != nil {
		return err
	}
	c := &diskCopier{times: map[uint64]unix.Timespec{}, inodes: map[uint64]string{}}
	if err := c.root(src, j.To); err != nil {
		return err
	}
	return c.restore()
}

// diskCopier copies in a chroot. Times of directories are put right at the end.
type diskCopier struct {
	times  map[uint64]unix.Timespec // of directories, by inode
	inodes map[uint64]string        // of the source, to a name kept for hardlinks
	kept   int
}

func (c *diskCopier) root(src int, to string) error {
	dst, err := unix.Open(to, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer unix.Close(dst)
	root, err := unix.Open("/", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer unix.Close(root)
	if err := c.remember(root); err != nil { // the kept names go there
		return err
	}
	return c.contents(src, dst)
}

func (c *diskCopier) remember(fd int) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return err
	}
	if _, ok := c.times[st.Ino]; !ok {
		c.times[st.Ino] = st.Mtim
	}
	return nil
}

func list(fd int) ([]string, error) {
	d, err := unix.Openat(fd, ".", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(d), "")
	defer f.Close()
	names, err := f.Readdirnames(-1)
	slices.Sort(names)
	return names, err
}

func (c *diskCopier) contents(src, dst int) error {
	names, err := list(src)
	if err != nil {
		return err
	}
	if err := c.remember(dst); err != nil {
		return err
	}
	for _, n := range names {
		var st unix.Stat_t
		if err := unix.Fstatat(src, n, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return err
		}
		if st.Mode&unix.S_IFMT == unix.S_IFDIR {
			err = c.directory(src, dst, n, st)
		} else {
			err = c.other(src, dst, n, st)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", n, err)
		}
	}
	return nil
}

func (c *diskCopier) directory(src, dst int, name string, st unix.Stat_t) error {
	from, err := unix.Openat(src, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer unix.Close(from)
	// The kernel follows a symlink, inside the chroot.
	into, err := unix.Openat(dst, name, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		if err := c.remove(dst, name); err != nil {
			return err
		}
		if err := unix.Mkdirat(dst, name, 0o700); err != nil {
			return err
		}
		if into, err = unix.Openat(dst, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0); err != nil {
			return err
		}
	}
	defer unix.Close(into)
	if err := attributes(from, into, st); err != nil {
		return err
	}
	var now unix.Stat_t
	if err := unix.Fstat(into, &now); err != nil {
		return err
	}
	c.times[now.Ino] = st.Mtim
	return c.contents(from, into)
}

// remove takes a name away with all below it.
func (c *diskCopier) remove(dst int, name string) error {
	err := unix.Unlinkat(dst, name, 0)
	if err == nil || errors.Is(err, unix.ENOENT) {
		return nil
	}
	d, err := unix.Openat(dst, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer unix.Close(d)
	names, err := list(d)
	if err != nil {
		return err
	}
	for _, n := range names {
		if err := c.remove(d, n); err != nil {
			return err
		}
	}
	return unix.Unlinkat(dst, name, unix.AT_REMOVEDIR)
}

func (c *diskCopier) other(src, dst int, name string, st unix.Stat_t) error {
	if err := c.remove(dst, name); err != nil {
		return err
	}
	if first, ok := c.inodes[st.Ino]; ok && st.Nlink > 1 {
		return unix.Linkat(unix.AT_FDCWD, first, dst, name, 0)
	}
	var err error
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		err = regular(src, dst, name)
	case unix.S_IFLNK:
		buf := make([]byte, 4096)
		var n int
		if n, err = unix.Readlinkat(src, name, buf); err == nil {
			err = unix.Symlinkat(string(buf[:n]), dst, name)
		}
	default:
		err = unix.Mknodat(dst, name, st.Mode&unix.S_IFMT|0o600, int(st.Rdev))
	}
	if err != nil {
		return err
	}
	if err := linkAttributes(src, dst, name, st); err != nil {
		return err
	}
	if st.Nlink > 1 {
		// A name outside of everything keeps the inode for later names.
		c.kept++
		keep := fmt.Sprintf("/.kept%d", c.kept)
		c.inodes[st.Ino] = keep
		return unix.Linkat(dst, name, unix.AT_FDCWD, keep, 0)
	}
	return nil
}

func regular(src, dst int, name string) error {
	from, err := unix.Openat(src, name, unix.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	in := os.NewFile(uintptr(from), name)
	defer in.Close()
	to, err := unix.Openat(dst, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	out := os.NewFile(uintptr(to), name)
	defer out.Close()
	_, err = in.WriteTo(out)
	return err
}

const attribute = "trusted.inlay-test"

// attributes gives an open directory those of another.
func attributes(from, to int, st unix.Stat_t) error {
	buf := make([]byte, 100)
	if n, err := unix.Fgetxattr(from, attribute, buf); err == nil {
		if err := unix.Fsetxattr(to, attribute, buf[:n], 0); err != nil {
			return err
		}
	} else if err := unix.Fremovexattr(to, attribute); err != nil && !errors.Is(err, unix.ENODATA) {
		return err
	}
	if err := unix.Fchown(to, int(st.Uid), int(st.Gid)); err != nil {
		return err
	}
	return unix.Fchmod(to, st.Mode&0o7777)
}

func linkAttributes(src, dst int, name string, st unix.Stat_t) error {
	if err := unix.Fchownat(dst, name, int(st.Uid), int(st.Gid), unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		if err := unix.Fchmodat(dst, name, st.Mode&0o7777, 0); err != nil {
			return err
		}
	}
	buf := make([]byte, 100)
	if err := unix.Fchdir(src); err != nil {
		return err
	}
	if n, err := unix.Lgetxattr(name, attribute, buf); err == nil {
		if err := unix.Fchdir(dst); err != nil {
			return err
		}
		if err := unix.Lsetxattr(name, attribute, buf[:n], 0); err != nil {
			return err
		}
	}
	return unix.UtimesNanoAt(dst, name, []unix.Timespec{{}, st.Mtim}, unix.AT_SYMLINK_NOFOLLOW)
}

// restore takes the kept names away and gives directories their times.
func (c *diskCopier) restore() error {
	for i := range c.kept {
		if err := unix.Unlink(fmt.Sprintf("/.kept%d", i+1)); err != nil {
			return err
		}
	}
	return filepath.WalkDir("/", func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		var st unix.Stat_t
		if err := unix.Lstat(p, &st); err != nil {
			return err
		}
		if at, ok := c.times[st.Ino]; ok {
			return unix.UtimesNanoAt(unix.AT_FDCWD, p, []unix.Timespec{{}, at}, unix.AT_SYMLINK_NOFOLLOW)
		}
		return nil
	})
}

// write makes a tree a directory of the host.
func write(t *rapid.T, tr tree.Tree, dir string) {
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	var items []tree.Item
	for it, err := range tree.Walk(t.Context(), tr, tree.WalkOptions{}) {
		must(err)
		p := filepath.Join(dir, it.Path)
		items = append(items, it)
		if it.Link != nil && it.Link.Names > 1 {
			must(os.Link(filepath.Join(dir, it.Link.First), p))
			continue
		}
		switch e := it.Entry.(type) {
		case tree.Tree:
			must(os.MkdirAll(p, 0o700))
		case tree.File:
			must(os.WriteFile(p, bodies[e.Content], 0o600))
		case tree.Symlink:
			must(os.Symlink(e.Target, p))
		default:
			must(unix.Mkfifo(p, 0o600))
		}
	}
	for _, it := range slices.Backward(items) {
		p, a := filepath.Join(dir, it.Path), it.Entry.Attr()
		must(os.Lchown(p, int(a.UID), int(a.GID)))
		if it.Entry.Kind() != tree.KindSymlink {
			must(unix.Chmod(p, uint32(a.Mode)))
		}
		if v, ok := a.Xattrs.Get("user.k"); ok {
			must(unix.Lsetxattr(p, attribute, []byte(v), 0))
		}
		must(unix.UtimesNanoAt(unix.AT_FDCWD, p, []unix.Timespec{{}, {Sec: a.ModTime.Sec, Nsec: int64(a.ModTime.Nsec)}}, unix.AT_SYMLINK_NOFOLLOW))
	}
}

// bodies is what the files of generated trees hold.
var bodies = map[digest.Digest][]byte{{}: nil, digest.Of([]byte{1}): {1}, digest.Of([]byte{2}): {2}, digest.Of([]byte{3}): {3}}

// listing of a directory of the host and of a tree in the same words.
func diskListing(t *rapid.T, dir string) string {
	var b strings.Builder
	first := map[uint64]string{}
	var walk func(p string)
	walk = func(p string) {
		var st unix.Stat_t
		if err := unix.Lstat(filepath.Join(dir, p), &st); err != nil {
			t.Fatal(err)
		}
		kind, what := "?", ""
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFDIR:
			kind = tree.KindDirectory.String()
		case unix.S_IFREG:
			kind = tree.KindFile.String()
			body, _ := os.ReadFile(filepath.Join(dir, p))
			what = fmt.Sprint(body)
		case unix.S_IFLNK:
			kind = tree.KindSymlink.String()
			what, _ = os.Readlink(filepath.Join(dir, p))
		case unix.S_IFIFO:
			kind = tree.KindFifo.String()
		}
		value := make([]byte, 100)
		n, err := unix.Lgetxattr(filepath.Join(dir, p), attribute, value)
		if err != nil {
			n = 0
		}
		link := p
		if kind != tree.KindDirectory.String() {
			if first[st.Ino] == "" {
				first[st.Ino] = p
			}
			link = first[st.Ino]
		}
		fmt.Fprintf(&b, "%q %s %o %d:%d %d.%d %q %q = %q\n", p, kind, st.Mode&0o7777, st.Uid, st.Gid, st.Mtim.Sec, st.Mtim.Nsec, value[:n], what, link)
		if kind == tree.KindDirectory.String() {
			fd, err := unix.Open(filepath.Join(dir, p), unix.O_RDONLY, 0)
			if err != nil {
				t.Fatal(err)
			}
			names, err := list(fd)
			unix.Close(fd)
			if err != nil {
				t.Fatal(err)
			}
			for _, n := range names {
				walk(path.Join(p, n))
			}
		}
	}
	walk("/")
	return b.String()
}

func treeListing(t *rapid.T, tr tree.Tree) string {
	var b strings.Builder
	for it, err := range tree.Walk(t.Context(), tr, tree.WalkOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		a, what, link := it.Entry.Attr(), "", it.Path
		switch e := it.Entry.(type) {
		case tree.File:
			what = fmt.Sprint(bodies[e.Content])
		case tree.Symlink:
			what = e.Target
		}
		if it.Link != nil {
			link = it.Link.First
		}
		value, _ := a.Xattrs.Get("user.k")
		fmt.Fprintf(&b, "%q %s %o %d:%d %d.%d %q %q = %q\n", it.Path, it.Entry.Kind(), a.Mode, a.UID, a.GID, a.ModTime.Sec, a.ModTime.Nsec, value, what, link)
	}
	return b.String()
}

func TestCopyIsWhatAProcessDoesInAChroot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("chroot, chown and trusted attributes need root")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), copierVariable+"=1")
	cmd.Stderr = os.Stderr
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		in.Close()
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}()
	answers := bufio.NewReader(out)
	dir, compared := t.TempDir(), 0
	check(t, 2, func(t *rapid.T) {
		d, s := genTree(t), genTree(t)
		if hasEmptyTarget(t, d) || hasEmptyTarget(t, s) {
			return
		}
		to := rapid.SampledFrom([]string{"/", "/", "/a", "/usr/bin", "/bin"}).Draw(t, "to")
		r, err := compose.Copy(t.Context(), d, to, s, "/", compose.Options{})
		if err != nil || slices.ContainsFunc(r.Placements, func(p compose.Placement) bool { return p.Action == compose.MakeDirectory }) {
			return
		}
		if where, err := tree.Resolve(t.Context(), d, to, tree.FollowAll); err != nil || where.Entry == nil || where.Entry.Kind() != tree.KindDirectory {
			return
		}
		j := job{filepath.Join(dir, "dst"), to, filepath.Join(dir, "src")}
		write(t, d, j.Dst)
		write(t, s, j.Src)
		defer os.RemoveAll(j.Dst)
		defer os.RemoveAll(j.Src)
		if err := json.NewEncoder(in).Encode(j); err != nil {
			t.Fatal(err)
		}
		answer, err := answers.ReadBytes('\n')
		if err != nil || !bytes.Equal(answer, []byte("\"<nil>\"\n")) {
			t.Fatalf("%s %v\n%s", answer, err, show(d))
		}
		compared++
		if got, want := treeListing(t, r.Tree), diskListing(t, j.Dst); got != want {
			t.Fatalf("to %s, destination:\n%s\nsource:\n%s\n%s", to, show(d), show(s), differing(got, want))
		}
	})
	t.Log(compared, "copies compared")
	if compared < 50 {
		t.Error("too few copies to mean anything")
	}
}

// differing gives the lines that only one of two listings has.
func differing(got, want string) string {
	var b strings.Builder
	for _, l := range strings.SplitAfter(got, "\n") {
		if !strings.Contains(want, l) {
			b.WriteString("got  " + l)
		}
	}
	for _, l := range strings.SplitAfter(want, "\n") {
		if !strings.Contains(got, l) {
			b.WriteString("want " + l)
		}
	}
	return b.String()
}

// hasEmptyTarget tells whether a tree has a symlink that no kernel makes.
func hasEmptyTarget(t *rapid.T, tr tree.Tree) bool {
	for it := range tree.Walk(t.Context(), tr, tree.WalkOptions{}) {
		if l, ok := it.Entry.(tree.Symlink); ok && l.Target == "" {
			return true
		}
	}
	return false
}
