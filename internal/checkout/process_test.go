//go:build linux

package checkout_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/internal/checkout"
	"github.com/inlaybuild/inlay/internal/erofs"
	"github.com/inlaybuild/inlay/internal/mount"
	"github.com/inlaybuild/inlay/tree"
)

// The test program plays the process that is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("INLAY_TEST_VICTIM"); dir != "" {
		victim(dir)
	}
	if dir := os.Getenv("INLAY_TEST_USER"); dir != "" {
		ordinaryUser(dir)
	}
	flag.Parse()
	if os.Getenv("INLAY_LONG") == "" {
		if err := flag.Set("rapid.checks", "40"); err != nil { // 100 is the default
			panic(err)
		}
	}
	os.Exit(m.Run())
}

func victim(dir string) {
	r, err := checkout.New(context.Background(), checkout.Options{BlobsDir: dir, RootsDir: dir + "/roots", Private: os.Getenv("INLAY_TEST_PRIVATE") != ""})
	if err != nil {
		panic(err)
	}
	root, err := r.Mount(context.Background(), tree.Empty(), checkout.MountOptions{})
	if err != nil {
		panic(err)
	}
	os.Stdout.WriteString(root.Path + "\n")
	select {}
}

func TestWhatAKilledProcessLeavesIsSwept(t *testing.T) {
	for _, private := range []string{"", "yes"} {
		dir := tempDir(t)
		cmd := exec.Command("/proc/self/exe")
		cmd.Env = append(os.Environ(), "INLAY_TEST_VICTIM="+dir, "INLAY_TEST_PRIVATE="+private)
		cmd.Stderr = os.Stderr
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		line, err := bufio.NewReader(out).ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		path := strings.TrimSpace(line)
		if mounted, err := mount.IsMounted(path); err != nil || mounted != (private == "") {
			t.Errorf("private %q: seen by others: %v, %v", private, mounted, err)
		}
		if n, err := checkout.Sweep(t.Context(), dir+"/roots"); n != 0 || err != nil {
			t.Errorf("a living process' root was swept: %d, %v", n, err)
		}
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		if mounted, _ := mount.IsMounted(path); private != "" && mounted {
			t.Error("a mount of its own namespace outlived the process")
		}
		if n, err := checkout.Sweep(t.Context(), dir+"/roots"); n != 1 || err != nil {
			t.Errorf("swept %d, %v", n, err)
		}
		noMounts(t, dir)
	}
}

func TestAPrivateRootIsSeenByThreadsThatEnter(t *testing.T) {
	b := newBlobs(t)
	d := tree.NewDraft(tree.Empty())
	d.Put("file", b.put(t, "content").WithAttr(attr(0o644, 0, 0, 0, 0)))
	r := newRoots(t, checkout.Options{BlobsDir: b.dir, Private: true})
	root := mustMount(t, r, mustTree(t, d))
	if _, err := os.Lstat(root.Path + "/file"); err == nil {
		t.Error("it is seen by all")
	}
	var out []byte
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and ends so
		if err = r.Enter(); err == nil {
			out, err = exec.Command("cat", root.Path+"/file").Output()
		}
	}()
	<-done
	if err != nil || string(out) != "content" {
		t.Errorf("a process started there reads %q, %v", out, err)
	}
	mustClose(t, root)
}

func TestARootInUseIsBusyAndClosesAllTheSame(t *testing.T) {
	b := newBlobs(t)
	r := newRoots(t, checkout.Options{BlobsDir: b.dir})
	root := mustMount(t, r, tree.Empty())
	f, err := os.Create(root.Path + "/open")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := root.Unmount(); !errors.Is(err, mount.ErrBusy) {
		t.Errorf("got %v", err)
	}
	if err := root.Close(); err != nil {
		t.Error(err)
	}
	if err := root.Close(); err != nil {
		t.Errorf("a second time: %v", err)
	}
}

// As a program that another thread starts has descriptors until it is executed.
func TestARootThatIsInUseForAMomentIsUnmounted(t *testing.T) {
	b := newBlobs(t)
	r := newRoots(t, checkout.Options{BlobsDir: b.dir})
	root := mustMount(t, r, tree.Empty())
	f, err := os.Create(root.Path + "/open")
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(100*time.Millisecond, func() { f.Close() })
	if err := root.Unmount(); err != nil {
		t.Error(err)
	}
	mustClose(t, root)
}

func TestWhatIsWrittenIsInTheUpperDirectoryAndTheTreeStays(t *testing.T) {
	b := newBlobs(t)
	d := tree.NewDraft(tree.Empty())
	d.MakeDir("dir", attr(0o755, 0, 0, 0, 0)).Put("file", b.put(t, "content").WithAttr(attr(0o644, 0, 0, 0, 0)))
	tr := mustTree(t, d)
	for _, m := range methods[:4] {
		r := newRoots(t, checkout.Options{BlobsDir: b.dir, Method: m})
		root := mustMount(t, r, tr)
		if err := errors.Join(
			os.WriteFile(root.Path+"/dir/file", []byte("other"), 0),
			os.WriteFile(root.Path+"/new", []byte("new"), 0o600),
			os.Chmod(root.Path+"/dir", 0o700),
		); err != nil {
			t.Fatal(err)
		}
		if err := root.Unmount(); err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{"dir/file": "other", "new": "new"} {
			if got, err := os.ReadFile(filepath.Join(root.Upper, name)); string(got) != want {
				t.Errorf("%v: %s: %q, %v", m, name, got, err)
			}
		}
		mustClose(t, root)
		again := mustMount(t, r, tr)
		compare(t, listTree(t, tr), listDir(t, again.Path))
		mustClose(t, again)
	}
}

func TestRootsAreMountedByManyAtOnce(t *testing.T) {
	b := newBlobs(t)
	dir := tempDir(t)
	d := tree.NewDraft(tree.Empty())
	d.Put("base", b.put(t, "base").WithAttr(attr(0o644, 0, 0, 0, 0)))
	base := mustTree(t, d)
	want := []map[string]string{}
	trees := []tree.Tree{base}
	for _, name := range names {
		d.Put(name, b.put(t, name).WithAttr(attr(0o644, 0, 0, 0, 0)))
		trees = append(trees, mustTree(t, d))
	}
	for _, tr := range trees {
		want = append(want, listTree(t, tr))
	}
	for range 2 {
		r := newRoots(t, checkout.Options{BlobsDir: b.dir, RootsDir: dir, MaxStacks: 3, MaxDeltas: 2})
		var group sync.WaitGroup
		for worker := range 4 {
			group.Go(func() {
				for i := range 20 {
					k := (i*7 + worker) % len(trees)
					root, err := r.Mount(t.Context(), trees[k], checkout.MountOptions{Near: []tree.Tree{trees[(k+i)%len(trees)], base}})
					if err != nil {
						t.Error(err)
						return
					}
					compare(t, want[k], listDir(t, root.Path))
					if err := errors.Join(root.Unmount(), root.Close()); err != nil {
						t.Error(err)
					}
				}
			})
		}
		group.Wait()
	}
}

func TestABrokenImageInTheCacheIsMadeAgain(t *testing.T) {
	b := newBlobs(t)
	tr := mustTree(t, sample(t, b))
	dir := filepath.Join(tempDir(t), "roots")
	for _, harm := range []func(path string) error{
		func(string) error { return nil },
		func(p string) error { return os.Truncate(p, 0) },
		func(p string) error { return os.Truncate(p, 5000) },
		func(p string) error { return os.WriteFile(p, make([]byte, 1<<16), 0o600) },
	} {
		r, err := checkout.New(t.Context(), checkout.Options{BlobsDir: b.dir, RootsDir: dir, Method: checkout.EROFS})
		if err != nil {
			t.Fatal(err)
		}
		root := mustMount(t, r, tr)
		compare(t, listTree(t, tr), listDir(t, root.Path))
		mustClose(t, root)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		images, _ := filepath.Glob(dir + "/erofs1-*/image")
		if len(images) != 1 {
			t.Fatalf("cached: %q", images)
		}
		if err := harm(images[0]); err != nil {
			t.Fatal(err)
		}
	}
}

func TestATreeThatNoMountCanShowIsRefusedByName(t *testing.T) {
	b := newBlobs(t)
	d := tree.NewDraft(tree.Empty())
	d.MakeDir("dev", attr(0o755, 0, 0, 0, 0)).Put("whiteout", tree.Device{})
	tr := mustTree(t, d)
	for _, m := range methods {
		r := newRoots(t, checkout.Options{BlobsDir: b.dir, Method: m})
		root, err := r.Mount(t.Context(), tr, checkout.MountOptions{})
		if m == checkout.Plain {
			if err != nil {
				t.Error(err)
				continue
			}
			compare(t, listTree(t, tr), listDir(t, root.Path))
			mustClose(t, root)
			continue
		}
		if !errors.Is(err, erofs.ErrUnsupported) || !strings.Contains(err.Error(), "/dev/whiteout") {
			t.Errorf("%v: got %v", m, err)
		}
	}
}
