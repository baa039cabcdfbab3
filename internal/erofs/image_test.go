//go:build linux

package erofs_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/erofs"
	"github.com/inlaybuild/inlay/internal/mount"
	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sys/unix"
)

func mustTree(t testing.TB, d *tree.Draft) tree.Tree {
	t.Helper()
	tr, err := d.Tree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func image(t testing.TB, tr tree.Tree) []byte {
	t.Helper()
	var b bytes.Buffer
	info, err := erofs.Write(t.Context(), &b, erofs.FromTree(t.Context(), tr), erofs.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if info.Size != int64(b.Len()) || b.Len()%4096 != 0 {
		t.Errorf("%d bytes were written, %d were told", b.Len(), info.Size)
	}
	return b.Bytes()
}

func file(size int64) tree.File {
	return tree.File{Size: size, Content: digest.Of([]byte("content")), Attributes: tree.Attr{Mode: 0o644}}
}

// mounted gives a path under which the kernel shows an image.
func mounted(t testing.TB, img []byte) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: mounts")
	}
	dir, err := os.MkdirTemp("/var/tmp", "inlay-erofs-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "image")
	if err := os.WriteFile(path, img, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, err := mount.ImageByLoop(f)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return fmt.Sprintf("/proc/self/fd/%d", m.Fd())
}

func TestExtremesAreShownByTheKernel(t *testing.T) {
	d := tree.NewDraft(tree.Empty())
	sizes := []int64{0, 1, 4096, 1 << 32, 1<<43 - 1, 1 << 43, 1<<43 + 1, math.MaxInt64}
	for i, size := range sizes {
		d.Put(fmt.Sprint("size-", i), file(size))
	}
	times := []int64{math.MinInt64, -1 << 40, -1, 0, 1 << 33, 1 << 40, math.MaxInt64}
	for i, sec := range times {
		d.Put(fmt.Sprint("time-", i), tree.Fifo{Attributes: tree.Attr{ModTime: tree.Time{Sec: sec, Nsec: 999999999}}})
	}
	for n := 1; n < 4096; n += 13 {
		d.Put(fmt.Sprint("target-", n), tree.Symlink{Target: strings.Repeat("t", n), Attributes: tree.Attr{Mode: 0o777}})
	}
	big := map[string]string{"user.max": strings.Repeat("v", 65535), "trusted.max": strings.Repeat("w", 65535)}
	d.Put("xattrs", tree.Symlink{Target: strings.Repeat("t", 4095), Attributes: tree.Attr{Mode: 0o777, Xattrs: tree.NewXattrs(map[string]string{"trusted.max": big["trusted.max"]})}})
	d.Put("xattrs-file", file(1).WithAttr(tree.Attr{Xattrs: tree.NewXattrs(big)}))
	for n := range 300 {
		sub := d.MakeDir(fmt.Sprint("dir-", n), tree.Attr{Mode: 0o755})
		for k := range n {
			sub.Put(fmt.Sprintf("%s-%d", strings.Repeat("n", (k*7+n)%200+1), k), tree.Fifo{})
		}
	}
	wide := d.MakeDir("wide", tree.Attr{Mode: 0o755})
	for n := range 100000 {
		first := byte(n%255 + 1)
		if first == '/' {
			first = '.'
		}
		wide.Put(string([]byte{first})+fmt.Sprint(n), tree.Fifo{})
	}
	tr := mustTree(t, d)
	root := mounted(t, image(t, tr))
	for i, size := range sizes {
		if info, err := os.Lstat(fmt.Sprintf("%s/size-%d", root, i)); err != nil || info.Size() != size {
			t.Errorf("%d: %v, %v", size, info, err)
		}
	}
	for i, sec := range times {
		var st unix.Stat_t
		if err := unix.Lstat(fmt.Sprintf("%s/time-%d", root, i), &st); err != nil || st.Mtim.Sec != sec || st.Mtim.Nsec != 999999999 {
			t.Errorf("%d: %v, %v", sec, st.Mtim, err)
		}
	}
	for name, want := range big {
		v := make([]byte, 65536)
		if n, err := unix.Lgetxattr(root+"/xattrs-file", name, v); err != nil || string(v[:n]) != want {
			t.Errorf("%s: %d bytes, %v", name, n, err)
		}
	}
	for it, err := range tree.Walk(t.Context(), tr, tree.WalkOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		path := root + it.Path
		switch e := it.Entry.(type) {
		case tree.Symlink:
			if got, err := os.Readlink(path); got != e.Target {
				t.Errorf("%s: %d bytes of %d, %v", it.Path, len(got), len(e.Target), err)
			}
		case tree.Tree:
			list, err := os.ReadDir(path + "/.")
			if err != nil || int64(len(list)) != e.Len() {
				t.Errorf("%s: %d names of %d, %v", it.Path, len(list), e.Len(), err)
			}
		default:
			if _, err := os.Lstat(path); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestFsckFindsNothing(t *testing.T) {
	fsck, err := exec.LookPath("fsck.erofs")
	if err != nil {
		t.Skip("needs fsck.erofs of Debian's erofs-utils")
	}
	d := tree.NewDraft(tree.Empty())
	for n := range 3000 {
		d.Put(fmt.Sprint("file-", n), file(int64(n)))
		d.MakeDir(fmt.Sprint("dir-", n%50), tree.Attr{Mode: 0o755}).Put("a", file(5).WithAttr(tree.Attr{Xattrs: tree.NewXattrs(map[string]string{"user.x": "y"})}))
		d.Put(fmt.Sprint("link-", n%40), tree.Symlink{Target: strings.Repeat("x", n), Attributes: tree.Attr{Mode: 0o777}})
		if n == 0 {
			d.Put("link-0", tree.Symlink{Target: "x", Attributes: tree.Attr{Mode: 0o777}})
		}
	}
	d.Link("file-7", "file-7")
	path := filepath.Join(t.TempDir(), "image")
	if err := os.WriteFile(path, image(t, mustTree(t, d)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(fsck, path).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func TestEqualTreesGiveEqualImages(t *testing.T) {
	one, two := tree.NewDraft(tree.Empty()), tree.NewDraft(tree.Empty())
	for n := range 1000 {
		one.Put(fmt.Sprint(n), file(int64(n)))
		two.Put(fmt.Sprint(999-n), file(int64(999-n)))
	}
	if !bytes.Equal(image(t, mustTree(t, one)), image(t, mustTree(t, two))) {
		t.Error("the way to a tree shows in its image")
	}
}

func TestWhatAnImageCannotShowIsRefusedByName(t *testing.T) {
	x := func(name, value string) tree.Entry {
		return tree.Fifo{Attributes: tree.Attr{Xattrs: tree.NewXattrs(map[string]string{name: value})}}
	}
	sum := map[string]string{}
	for n := range 5 {
		sum[fmt.Sprint("user.", n)] = strings.Repeat("v", 60000)
	}
	for name, e := range map[string]tree.Entry{
		"whiteout":   tree.Device{},
		"major":      tree.Device{Major: 4096},
		"minor":      tree.Device{Minor: 1 << 20},
		"uid":        tree.Fifo{Attributes: tree.Attr{UID: math.MaxUint32}},
		"gid":        tree.Fifo{Attributes: tree.Attr{GID: math.MaxUint32}},
		"no target":  tree.Symlink{},
		"NUL":        tree.Symlink{Target: "a\x00b"},
		"target":     tree.Symlink{Target: strings.Repeat("x", 4096)},
		"kind":       x("system.nfs4_acl", "x"),
		"no name":    x("user.", "x"),
		"long name":  x("user."+strings.Repeat("x", 256), "x"),
		"long value": x("user.x", strings.Repeat("x", 65536)),
		"sum":        tree.Fifo{Attributes: tree.Attr{Xattrs: tree.NewXattrs(sum)}},
		"acl":        x("system.posix_acl_access", "no list"),
	} {
		d := tree.NewDraft(tree.Empty())
		d.MakeDir("in", tree.Attr{}).Put(name, e)
		var b bytes.Buffer
		_, err := erofs.Write(t.Context(), &b, erofs.FromTree(t.Context(), mustTree(t, d)), erofs.Options{})
		var pe *fs.PathError
		if !errors.Is(err, erofs.ErrUnsupported) || !errors.As(err, &pe) || pe.Path != "/in/"+name {
			t.Errorf("%s: got %v", name, err)
		}
		if b.Len() > 0 {
			t.Errorf("%s: %d bytes were written", name, b.Len())
		}
	}
}

func TestFilesOfImpossibleSizesAreRefusedBeforeTheyFillTheDisk(t *testing.T) {
	d := tree.NewDraft(tree.Empty())
	for n := range 100 {
		d.Put(fmt.Sprint(n), file(math.MaxInt64))
	}
	var b bytes.Buffer
	_, err := erofs.Write(t.Context(), &b, erofs.FromTree(t.Context(), mustTree(t, d)), erofs.Options{})
	if !errors.Is(err, erofs.ErrUnsupported) || b.Len() > 0 {
		t.Errorf("got %v", err)
	}
}
