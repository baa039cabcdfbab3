package capture_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/internal/capture"
	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sys/unix"
)

// captured runs do in a mount of a small base, and gives base, what the mount
// showed, and the change set.
func captured(t *testing.T, o capture.UpperOptions, do func(root string)) (base tree.Tree, shown string, cs tree.ChangeSet) {
	t.Helper()
	needRoot(t)
	ov := newOverlay(t, shortDir(t))
	t.Cleanup(func() { unix.Unmount(ov.merged, unix.MNT_DETACH) })
	write(t, filepath.Join(ov.lower, "etc", "passwd"), "root")
	write(t, filepath.Join(ov.lower, "usr", "a", "x"), "x")
	write(t, filepath.Join(ov.lower, "usr", "a", "y"), "y")
	os.Link(filepath.Join(ov.lower, "usr", "a", "x"), filepath.Join(ov.lower, "x"))
	old := []unix.Timespec{{Sec: 1000}, {Sec: 1000}}
	for _, p := range []string{"etc", "usr", "usr/a", ""} {
		unix.UtimesNano(filepath.Join(ov.lower, p), old)
	}
	sink := newMemory()
	base, _, err := capture.Directory(t.Context(), ov.lower, sink, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ov.mount(t, "metacopy=on,redirect_dir=on,volatile")
	do(ov.merged)
	shown = listDisk(t, ov.merged)
	ov.unmount(t)
	if cs, _, err = capture.Upper(t.Context(), base, ov.upper, sink, o); err != nil {
		t.Fatal(err)
	}
	return base, shown, cs
}

func TestEmptyMountPointsAreNoChange(t *testing.T) {
	drop := capture.UpperOptions{Drop: []capture.Stub{{Path: "/proc"}, {Path: "/dev"}, {Path: "/dev/pts"}, {Path: "/etc/resolv.conf"}, {Path: "/etc/passwd"}, {Path: "/none/at/all"}}}
	make := func(root string) {
		os.Mkdir(filepath.Join(root, "proc"), 0o755)
		os.MkdirAll(filepath.Join(root, "dev", "pts"), 0o755)
		os.WriteFile(filepath.Join(root, "etc", "resolv.conf"), nil, 0o644)
	}
	_, _, cs := captured(t, drop, make)
	if !cs.IsEmpty() {
		t.Fatal(showChanges(cs))
	}
	// What is not empty, or not a stub, stays.
	base, _, cs := captured(t, drop, func(root string) {
		make(root)
		os.WriteFile(filepath.Join(root, "dev", "null"), nil, 0o644)
		os.WriteFile(filepath.Join(root, "etc", "resolv.conf"), []byte("x"), 0o644)
	})
	got, err := compose.Patch(t.Context(), base, cs)
	if err != nil {
		t.Fatal(err)
	}
	for p, want := range map[string]bool{"/proc": false, "/dev/pts": false, "/dev/null": true, "/etc/resolv.conf": true} {
		if _, err := got.Lookup(t.Context(), p); (err == nil) != want {
			t.Errorf("%s: %v", p, err)
		}
	}
	if e, _ := got.Lookup(t.Context(), "/etc"); e.Attr().ModTime.Sec == 1000 {
		t.Error("/etc was written into, and has its old time")
	}
}

func TestRenamedDirectoriesShareTheirPartsWithTheBase(t *testing.T) {
	base, shown, cs := captured(t, capture.UpperOptions{}, func(root string) {
		os.Rename(filepath.Join(root, "usr"), filepath.Join(root, "opt"))
	})
	if _, ok := cs.Root.Get("usr").(tree.Remove); !ok {
		t.Fatal(showChanges(cs))
	}
	got, err := compose.Patch(t.Context(), base, cs)
	if err != nil {
		t.Fatal(err)
	}
	same(t, listTree(t, got), shown, "")
}

func TestFilesThatAreOpenedAndLeftAreNoChange(t *testing.T) {
	_, _, cs := captured(t, capture.UpperOptions{}, func(root string) {
		f, err := os.OpenFile(filepath.Join(root, "usr", "a", "y"), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		f.Close()
	})
	if !cs.IsEmpty() {
		t.Fatal(showChanges(cs))
	}
}

func TestAnUpperOfAnotherBaseIsAnError(t *testing.T) {
	needRoot(t)
	dir := shortDir(t)
	write(t, filepath.Join(dir, "f"), "")
	if err := unix.Setxattr(filepath.Join(dir, "f"), "trusted.overlay.metacopy", nil, 0); err != nil {
		t.Skip(err)
	}
	for _, redirect := range []string{"", "/nowhere/x", "g", "../../x", "/", "//", "\xff"} {
		unix.Setxattr(filepath.Join(dir, "f"), "trusted.overlay.redirect", []byte(redirect), 0)
		_, _, err := capture.Upper(t.Context(), tree.Empty(), dir, newMemory(), capture.UpperOptions{})
		if err == nil {
			t.Errorf("%q is accepted", redirect)
		}
	}
}

func TestWhiteoutsThatAreFilesRemove(t *testing.T) {
	needRoot(t)
	dir := shortDir(t)
	write(t, filepath.Join(dir, "f"), "")
	write(t, filepath.Join(dir, "none"), "")
	for _, n := range []string{"f", "none"} {
		if err := unix.Setxattr(filepath.Join(dir, n), "trusted.overlay.whiteout", nil, 0); err != nil {
			t.Skip(err)
		}
	}
	d := tree.NewDraft(tree.Empty())
	d.Put("f", tree.File{})
	base, err := d.Tree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	cs, _, err := capture.Upper(t.Context(), base, dir, newMemory(), capture.UpperOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := cs.Root.Get("f").(tree.Remove); !ok || cs.Root.Get("none") != nil {
		t.Fatal(showChanges(cs))
	}
}
