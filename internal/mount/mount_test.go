//go:build linux

package mount_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/internal/erofs"
	"github.com/inlaybuild/inlay/internal/mount"
	"github.com/inlaybuild/inlay/tree"
)

func tempDir(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: mounts")
	}
	dir, err := os.MkdirTemp("/var/tmp", "inlay-mount-")
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

// image is a file that holds an image with one symlink.
func image(t *testing.T, dir string) *os.File {
	t.Helper()
	d := tree.NewDraft(tree.Empty())
	d.Put("link", tree.Symlink{Target: "here"})
	tr, err := d.Tree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := erofs.Write(t.Context(), &b, erofs.FromTree(t.Context(), tr), erofs.Options{}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "image")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

// loops is the count of loop devices whose file is below dir.
func loops(t *testing.T, dir string) int {
	n := 0
	files, _ := filepath.Glob("/sys/block/loop*/loop/backing_file")
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil && strings.HasPrefix(string(b), dir) {
			n++
		}
	}
	return n
}

func TestAnImageIsAttachedAndTakenAwayByEveryWay(t *testing.T) {
	for name, mountImage := range map[string]func(*os.File) (*mount.Mount, error){"file": mount.Image, "loop": mount.ImageByLoop} {
		t.Run(name, func(t *testing.T) {
			dir := tempDir(t)
			m, err := mountImage(image(t, dir))
			if err != nil {
				t.Fatal(err)
			}
			point := filepath.Join(dir, "point")
			if err := errors.Join(os.Mkdir(point, 0o700), m.Attach(point), m.Close(), m.Close()); err != nil {
				t.Fatal(err)
			}
			if target, err := os.Readlink(point + "/link"); target != "here" {
				t.Errorf("%q, %v", target, err)
			}
			if ok, err := mount.IsMounted(point); !ok || err != nil {
				t.Errorf("%v, %v", ok, err)
			}
			open, err := os.Open(point)
			if err != nil {
				t.Fatal(err)
			}
			if err := mount.Unmount(point); !errors.Is(err, mount.ErrBusy) {
				t.Errorf("got %v", err)
			}
			open.Close()
			if err := mount.Unmount(point); err != nil {
				t.Error(err)
			}
			if ok, err := mount.IsMounted(point); ok || err != nil {
				t.Errorf("%v, %v", ok, err)
			}
			for range 100 {
				if loops(t, dir) == 0 {
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
			t.Error("a loop device is left")
		})
	}
}

func TestWhatIsNoImageLeavesNothing(t *testing.T) {
	dir := tempDir(t)
	path := filepath.Join(dir, "no-image")
	if err := os.WriteFile(path, make([]byte, 8192), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := mount.Image(f); err == nil {
		t.Error("zeros were mounted")
	}
	if _, err := mount.ImageByLoop(f); err == nil {
		t.Error("zeros were mounted by loop")
	}
	for range 100 {
		if loops(t, dir) == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error("a loop device is left")
}

func TestErrorsSayWhatTheKernelSays(t *testing.T) {
	dir := tempDir(t)
	_, err := mount.Overlay{Lower: []mount.Layer{{Dir: dir}}, Options: []string{"no-such-option=1"}}.Mount()
	if err == nil || !strings.Contains(err.Error(), "Unknown parameter") {
		t.Errorf("got %v", err)
	}
	_, err = mount.Overlay{Lower: []mount.Layer{{Dir: dir + "/missing"}}}.Mount()
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestWhatIsAttachedInANamespaceIsSeenThereAlone(t *testing.T) {
	dir := tempDir(t)
	m, err := mount.Image(image(t, dir))
	if err != nil {
		t.Skip("the kernel mounts no image from a file:", err)
	}
	n, err := mount.NewNamespace()
	if err != nil {
		t.Fatal(err)
	}
	point := filepath.Join(dir, "point")
	if err := os.Mkdir(point, 0o700); err != nil {
		t.Fatal(err)
	}
	err = n.Do(func() error {
		if err := m.Attach(point); err != nil {
			return err
		}
		_, err := os.Readlink(point + "/link")
		return err
	})
	if err != nil {
		t.Error(err)
	}
	if ok, err := mount.IsMounted(point); ok || err != nil {
		t.Errorf("seen outside: %v, %v", ok, err)
	}
	if err := errors.Join(m.Close(), n.Close()); err != nil {
		t.Error(err)
	}
}
