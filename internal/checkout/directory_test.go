//go:build linux

package checkout_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/checkout"
	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

func TestADirectoryIsTheTree(t *testing.T) {
	b := newBlobs(t)
	d := sample(t, b)
	d.Put("whiteout", tree.Device{Attributes: attr(0o600, 0, 0, 0, 0)})
	tr := mustTree(t, d)
	for _, sparse := range []bool{false, true} {
		dir := filepath.Join(tempDir(t), "out")
		var last checkout.Progress
		err := checkout.ToDirectory(t.Context(), tr, dir, b.open, checkout.DirectoryOptions{
			Sparse:   sparse,
			Progress: func(p checkout.Progress) { last = p },
		})
		if err != nil {
			t.Fatal(err)
		}
		compare(t, listTree(t, tr), listDir(t, dir))
		if last.Bytes == 0 || last.Entries == 0 {
			t.Errorf("progress ended at %+v", last)
		}
		var st unix.Stat_t
		if err := unix.Lstat(filepath.Join(dir, "zero-end"), &st); err != nil || sparse == (st.Blocks > 100) {
			t.Errorf("sparse %v: a file of zeros has %d blocks (%v)", sparse, st.Blocks, err)
		}
	}
}

func TestADirectoryIsTheGeneratedTree(t *testing.T) {
	b := newBlobs(t)
	parent := tempDir(t)
	rapid.Check(t, func(rt *rapid.T) {
		tr := drawTree(rt, b, t, tree.Empty())
		dir := filepath.Join(parent, "out")
		err := checkout.ToDirectory(t.Context(), tr, dir, b.open, checkout.DirectoryOptions{Existing: checkout.Replace})
		if err != nil {
			t.Fatal(err)
		}
		compare(t, listTree(t, tr), listDir(t, dir))
		if left, _ := os.ReadDir(parent); len(left) != 1 || t.Failed() {
			rt.Fatalf("not the tree, or something is left beside it: %v", left)
		}
	})
}

func TestADestinationThatHoldsSomethingIsKept(t *testing.T) {
	b := newBlobs(t)
	dir := tempDir(t)
	if err := os.WriteFile(dir+"/mine", []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := checkout.ToDirectory(t.Context(), mustTree(t, sample(t, b)), dir, b.open, checkout.DirectoryOptions{})
	if !errors.Is(err, checkout.ErrNotEmpty) {
		t.Fatalf("got %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("something was written: %v", left)
	}
}

func TestMergingFollowsNoSymlinkOfTheDestination(t *testing.T) {
	b := newBlobs(t)
	dir, outside := tempDir(t), tempDir(t)
	for _, link := range []string{"dir", "hello", "empty"} {
		if err := os.Symlink(outside, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside+"/new", filepath.Join(dir, "setuid")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "mine"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	tr := mustTree(t, sample(t, b))
	for range 2 {
		if err := checkout.ToDirectory(t.Context(), tr, dir, b.open, checkout.DirectoryOptions{Existing: checkout.Merge}); err != nil {
			t.Fatal(err)
		}
		got := listDir(t, dir)
		if got["/mine"] == "" {
			t.Error("what the tree has not is gone")
		}
		delete(got, "/mine")
		compare(t, listTree(t, tr), got)
		if left, _ := os.ReadDir(outside); len(left) > 0 {
			t.Fatalf("written through a symlink: %v", left)
		}
	}
}

func TestMergingDoesNotRemoveADirectoryForAFile(t *testing.T) {
	b := newBlobs(t)
	dir := tempDir(t)
	if err := os.MkdirAll(filepath.Join(dir, "hello", "mine"), 0o700); err != nil {
		t.Fatal(err)
	}
	d := tree.NewDraft(tree.Empty())
	d.Put("hello", b.put(t, "hello"))
	err := checkout.ToDirectory(t.Context(), mustTree(t, d), dir, b.open, checkout.DirectoryOptions{Existing: checkout.Merge})
	var pe *fs.PathError
	if !errors.As(err, &pe) || pe.Path != "/hello" {
		t.Errorf("got %v", err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("left: %v", left)
	}
}

func TestNothingIsLeftOfATreeThatCannotBeWritten(t *testing.T) {
	b := newBlobs(t)
	file := func(c string) tree.File { return b.put(t, c) }
	missing := tree.File{Size: 5, Content: digest.Of([]byte("nobody has it"))}
	short := file("short")
	short.Size = 1000
	long := file("too long")
	long.Size = 3
	for name, e := range map[string]tree.Entry{
		"missing": missing,
		"short":   short,
		"long":    long,
		"owner":   tree.Fifo{Attributes: attr(0o600, 1<<32-1, 0, 0, 0)},
		"device":  tree.Device{Major: 1 << 20},
		"time":    tree.Fifo{Attributes: attr(0o600, 0, 0, 1<<40, 0)},
		"xattr":   tree.Fifo{Attributes: attr(0o600, 0, 0, 0, 0, "user.x", "on a fifo")},
		"target":  tree.Symlink{Target: strings.Repeat("x", 5000)},
	} {
		t.Run(name, func(t *testing.T) {
			d := sample(t, b)
			d.MakeDir("in", attr(0o755, 0, 0, 0, 0)).Put(name, e)
			for _, existing := range []bool{false, true} {
				parent := tempDir(t)
				dir := filepath.Join(parent, "out")
				if existing {
					if err := os.Mkdir(dir, 0o755); err != nil {
						t.Fatal(err)
					}
				}
				err := checkout.ToDirectory(t.Context(), mustTree(t, d), dir, b.open, checkout.DirectoryOptions{})
				var pe *fs.PathError
				if !errors.As(err, &pe) || pe.Path != "/in/"+name {
					t.Errorf("the error does not name the path: %v", err)
				}
				list, _ := os.ReadDir(parent)
				if len(list) > 1 || len(list) == 1 && !existing {
					t.Errorf("left: %v", list)
				}
			}
		})
	}
}

func TestACancelledCheckoutLeavesNothing(t *testing.T) {
	b := newBlobs(t)
	parent := tempDir(t)
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	open := func(ctx context.Context, d digest.Digest) (io.ReadCloser, error) {
		if n++; n == 100 {
			cancel()
		}
		return b.open(ctx, d)
	}
	err := checkout.ToDirectory(ctx, mustTree(t, sample(t, b)), parent+"/out", open, checkout.DirectoryOptions{Workers: 1})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if list, _ := os.ReadDir(parent); len(list) > 0 {
		t.Errorf("left: %v", list)
	}
}

func TestPathsMayBeLongerThanTheKernelTakes(t *testing.T) {
	b := newBlobs(t)
	d := tree.NewDraft(tree.Empty())
	at := d
	for range 100 {
		at = at.MakeDir(strings.Repeat("d", 200), attr(0o755, 0, 0, 1, 0))
	}
	at.Put("file", b.put(t, "deep").WithAttr(attr(0o644, 0, 0, 1, 0)))
	dir := filepath.Join(tempDir(t), "out")
	for range 2 {
		err := checkout.ToDirectory(t.Context(), mustTree(t, d), dir, b.open, checkout.DirectoryOptions{Existing: checkout.Replace})
		if err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command("find", dir, "-name", "file", "-printf", "%d %s").Output()
		if err != nil || string(out) != "101 4" {
			t.Errorf("%q, %v", out, err)
		}
	}
}

func TestWhoIsNotRootIsToldSoOrLeavesOwnersOut(t *testing.T) {
	parent := tempDir(t)
	if err := os.Chown(parent, 12345, 12345); err != nil {
		t.Fatal(err)
	}
	for _, noOwner := range []string{"", "yes"} {
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), "INLAY_TEST_USER="+parent, "INLAY_TEST_NO_OWNER="+noOwner)
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 12345, Gid: 12345}}
		out, err := cmd.CombinedOutput()
		if err != nil || strings.Contains(string(out), "only root") != (noOwner == "") {
			t.Errorf("%s: %v", out, err)
		}
	}
}

// ordinaryUser is the other process of the test above.
func ordinaryUser(parent string) {
	d := tree.NewDraft(tree.Empty())
	d.Put("link", tree.Symlink{Target: "x", Attributes: attr(0o777, 7, 7, 7, 7)})
	tr, err := d.Tree(context.Background())
	if err == nil {
		err = checkout.ToDirectory(context.Background(), tr, parent+"/out", nil, checkout.DirectoryOptions{NoOwner: os.Getenv("INLAY_TEST_NO_OWNER") != ""})
	}
	if err != nil && !errors.Is(err, checkout.ErrOwner) {
		panic(err)
	}
	if err != nil {
		os.Stdout.WriteString(err.Error())
	}
	os.Exit(0)
}

func TestTimesAreClampedWhenAsked(t *testing.T) {
	b := newBlobs(t)
	dir := filepath.Join(tempDir(t), "out")
	d := tree.NewDraft(tree.Empty())
	d.Put("f", tree.Fifo{Attributes: attr(0o600, 0, 0, 1<<40, 0)})
	if err := checkout.ToDirectory(t.Context(), mustTree(t, d), dir, b.open, checkout.DirectoryOptions{ClampTimes: true}); err != nil {
		t.Error(err)
	}
}
