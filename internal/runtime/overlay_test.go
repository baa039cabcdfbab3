//go:build linux

package runtime_test

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// On an overlay, what a mount point leaves would be captured as a change: there
// may be directories in the upper layer, copied up with the attributes that they
// had, and nothing else.
func TestMountPointsOnAnOverlay(t *testing.T) {
	e := newEnv(t)
	lower, dir := e.root, t.TempDir()
	age(t, lower)
	before := listing(t, lower)
	for _, name := range []string{"upper", "work", "merged"} {
		must(t, os.Mkdir(filepath.Join(dir, name), 0o755))
	}
	e.root = filepath.Join(dir, "merged")
	options := "lowerdir=" + lower + ",upperdir=" + dir + "/upper,workdir=" + filepath.Join(dir, "work")
	if err := unix.Mount("overlay", e.root, "overlay", 0, options); err != nil {
		t.Skipf("overlay: %v", err)
	}
	defer func() { must(t, unix.Unmount(e.root, 0)) }() // busy when a descriptor is still open
	e.output(e.process("true"))
	if after := listing(t, e.root); after == "" || len(after) == 0 {
		t.Fatal("nothing is listed")
	}
	entries, err := os.ReadDir(filepath.Join(dir, "upper"))
	must(t, err)
	for _, entry := range entries {
		if entry.Name() != "etc" {
			t.Errorf("upper layer has %s", entry.Name())
		}
		upper, err := os.Lstat(filepath.Join(dir, "upper", entry.Name()))
		must(t, err)
		if upper.ModTime().Unix() != 1000 || upper.ModTime().Nanosecond() != 7 {
			t.Errorf("%s was changed at %v", entry.Name(), upper.ModTime())
		}
		inside, _ := os.ReadDir(filepath.Join(dir, "upper", entry.Name()))
		for _, left := range inside {
			t.Errorf("upper layer has %s/%s", entry.Name(), left.Name())
		}
	}
	if listing(t, lower) != before {
		t.Error("the lower layer was changed")
	}
}
