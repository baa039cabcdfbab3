//go:build linux

package checkout_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/checkout"
	"github.com/inlaybuild/inlay/internal/erofs"
	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sys/unix"
)

// hostTree reads a directory of the host into a tree and its files into blobs.
func hostTree(t testing.TB, b *blobs, dir string) tree.Tree {
	t.Helper()
	links := map[[2]uint64][]string{}
	var read func(d *tree.Draft, at, rel string)
	read = func(d *tree.Draft, at, rel string) {
		list, err := os.ReadDir(at)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range list {
			full := at + "/" + n.Name()
			var st unix.Stat_t
			if err := unix.Lstat(full, &st); err != nil {
				t.Fatal(err)
			}
			a := attr(tree.Mode(st.Mode&0o7777), st.Uid, st.Gid, st.Mtim.Sec, uint32(st.Mtim.Nsec))
			list := make([]byte, 4096)
			k, _ := unix.Llistxattr(full, list)
			for len(list[:k]) > 0 {
				end := 0
				for list[end] != 0 {
					end++
				}
				v := make([]byte, 4096)
				n, err := unix.Lgetxattr(full, string(list[:end]), v)
				if err != nil {
					t.Fatal(err)
				}
				a.Xattrs = a.Xattrs.With(string(list[:end]), string(v[:n]))
				list, k = list[end+1:], k-end-1
			}
			switch st.Mode & unix.S_IFMT {
			case unix.S_IFDIR:
				read(d.MakeDir(n.Name(), a), full, rel+n.Name()+"/")
				continue
			case unix.S_IFREG:
				c, err := os.ReadFile(full)
				if err != nil {
					t.Fatal(err)
				}
				d.Put(n.Name(), b.put(t, string(c)).WithAttr(a))
			case unix.S_IFLNK:
				target, err := os.Readlink(full)
				if err != nil {
					t.Fatal(err)
				}
				d.Put(n.Name(), tree.Symlink{Target: target}.WithAttr(a))
			case unix.S_IFCHR, unix.S_IFBLK:
				d.Put(n.Name(), tree.Device{Block: st.Mode&unix.S_IFMT == unix.S_IFBLK, Major: unix.Major(st.Rdev), Minor: unix.Minor(st.Rdev), Attributes: a})
			default:
				continue
			}
			if st.Nlink > 1 {
				key := [2]uint64{st.Dev, st.Ino}
				links[key] = append(links[key], rel+n.Name())
			}
		}
	}
	d := tree.NewDraft(tree.Empty().With(attr(0o755, 0, 0, 1700000000, 1)))
	read(d, dir, "")
	for _, g := range links {
		d.Link(g...)
	}
	return mustTree(t, d)
}

// debian is the root file system that debootstrap made, when there is one.
func debian(t testing.TB, b *blobs) tree.Tree {
	dir := os.Getenv("INLAY_TEST_DEBIAN")
	if dir == "" {
		t.Skip("no root file system: make one by debootstrap and name it in INLAY_TEST_DEBIAN")
	}
	return hostTree(t, b, dir)
}

// many is n files in directories of 100, of which only those in the first
// directory have blobs.
func many(t testing.TB, b *blobs, n int) tree.Tree {
	d := tree.NewDraft(tree.Empty())
	for i := range n / 100 {
		sub := d.MakeDir(fmt.Sprintf("directory-%05d", i), attr(0o755, 0, 0, 1700000000, 0))
		for j := range 100 {
			var f tree.File
			if content := fmt.Sprint("file ", i, j); i == 0 {
				f = b.put(t, content)
			} else {
				f = tree.File{Size: int64(len(content)), Content: digest.Of([]byte(content))}
			}
			sub.Put(fmt.Sprintf("file-%03d.txt", j), f.WithAttr(attr(0o644, 0, 0, 1700000000, uint32(j))))
		}
	}
	return mustTree(t, d)
}

func TestDebianIsShownByEveryMethodAndWrittenExactly(t *testing.T) {
	b := newBlobs(t)
	tr := debian(t, b)
	want := listTree(t, tr)
	for _, m := range methods {
		t.Run(m.String(), func(t *testing.T) {
			r := newRoots(t, checkout.Options{BlobsDir: b.dir, Method: m})
			root := mustMount(t, r, tr)
			compare(t, want, listDir(t, root.Path))
			mustClose(t, root)
		})
	}
	dir := filepath.Join(tempDir(t), "out")
	if err := checkout.ToDirectory(t.Context(), tr, dir, b.open, checkout.DirectoryOptions{}); err != nil {
		t.Fatal(err)
	}
	compare(t, want, listDir(t, dir))
}

// benchmarkChanged mounts trees that differ by one file from the one before.
func benchmarkChanged(b *testing.B, bl *blobs, tr tree.Tree, m checkout.Method) {
	r := newRoots(b, checkout.Options{BlobsDir: bl.dir, Method: m})
	mustClose(b, mustMount(b, r, tr))
	f := bl.put(b, "changed")
	_ = tr.Digest()
	i := 0
	for b.Loop() {
		d := tree.NewDraft(tr)
		d.Put("changed", f.WithAttr(attr(0o644, 0, 0, int64(i), 0)))
		next := mustTree(b, d)
		root := mustMount(b, r, next, tr)
		b.StopTimer()
		mustClose(b, root)
		b.StartTimer()
		tr = next
		i++
	}
}

func BenchmarkMountChangedDebian(b *testing.B) {
	bl := newBlobs(b)
	tr := debian(b, bl)
	for _, m := range []checkout.Method{checkout.EROFS, checkout.Loop} {
		b.Run(m.String(), func(b *testing.B) { benchmarkChanged(b, bl, tr, m) })
	}
}

func BenchmarkMountChanged100000Files(b *testing.B) {
	bl := newBlobs(b)
	tr := many(b, bl, 100000)
	for _, m := range []checkout.Method{checkout.EROFS, checkout.Loop} {
		b.Run(m.String(), func(b *testing.B) { benchmarkChanged(b, bl, tr, m) })
	}
}

func BenchmarkMountAgain(b *testing.B) {
	bl := newBlobs(b)
	r := newRoots(b, checkout.Options{BlobsDir: bl.dir})
	tr := many(b, bl, 100000)
	mustClose(b, mustMount(b, r, tr))
	for b.Loop() {
		mustClose(b, mustMount(b, r, tr))
	}
}

func BenchmarkWriteImage(b *testing.B) {
	bl := newBlobs(b)
	for _, n := range []int{6800, 100000, 1000000} {
		tr := sync.OnceValue(func() tree.Tree { return many(b, bl, n) })
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			tr := tr()
			b.ReportAllocs()
			for b.Loop() {
				info, err := erofs.Write(b.Context(), io.Discard, erofs.FromTree(b.Context(), tr), erofs.Options{Nodes: tr.Count()})
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(info.Size)
			}
		})
	}
}

func BenchmarkToDirectory(b *testing.B) {
	bl := newBlobs(b)
	tr := debian(b, bl)
	parent := tempDir(b)
	for b.Loop() {
		err := checkout.ToDirectory(b.Context(), tr, parent+"/out", bl.open, checkout.DirectoryOptions{})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := os.RemoveAll(parent + "/out"); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}
