package capture_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/internal/capture"
	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// overlay is an overlay mount on a directory.
type overlay struct {
	lower, upper, merged string
}

// newOverlay gives the directories of a mount; lower is to be filled.
func newOverlay(t fatal, dir string) *overlay {
	o := &overlay{filepath.Join(dir, "lower"), filepath.Join(dir, "upper"), filepath.Join(dir, "merged")}
	for _, p := range []string{o.lower, o.upper, o.merged, filepath.Join(dir, "work")} {
		if err := os.Mkdir(p, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// mount mounts; the upper directory gets the attributes of the lower one first.
func (o *overlay) mount(t fatal, options string) {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(o.lower, &st); err != nil {
		t.Fatal(err)
	}
	err := errors.Join(
		unix.Chown(o.upper, int(st.Uid), int(st.Gid)),
		unix.Chmod(o.upper, st.Mode&0o7777),
		unix.UtimesNanoAt(unix.AT_FDCWD, o.upper, []unix.Timespec{st.Atim, st.Mtim}, 0))
	if err != nil {
		t.Fatal(err)
	}
	data := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s,%s", o.lower, o.upper, filepath.Join(filepath.Dir(o.upper), "work"), options)
	if err := unix.Mount("overlay", o.merged, "overlay", 0, strings.TrimSuffix(data, ",")); err != nil {
		t.Fatalf("mount %s: %v", data, err)
	}
}

func (o *overlay) unmount(t fatal) {
	t.Helper()
	if err := unix.Unmount(o.merged, 0); err != nil {
		t.Fatal(err)
	}
}

// mountOptions are the ways in which overlay writes changes down. There is no
// index=on among them: then names that were not copied up change with others,
// and the upper directory does not tell.
func mountOptions() map[string]string {
	return map[string]string{
		"metacopy,redirect": "metacopy=on,redirect_dir=on,index=off,volatile",
		"redirect":          "metacopy=off,redirect_dir=on,index=off,volatile",
		"neither":           "metacopy=off,redirect_dir=nofollow,index=off,volatile",
		"userxattr":         "userxattr,index=off,volatile",
	}
}

func TestUpperAppliedToItsBaseIsWhatTheMountShowed(t *testing.T) {
	needRoot(t)
	for name, options := range mountOptions() {
		t.Run(name, func(t *testing.T) {
			top := shortDir(t)
			n := 0
			rapid.Check(t, func(t *rapid.T) {
				n++
				dir := filepath.Join(top, fmt.Sprint(n)) // a comma would end an option
				if err := os.Mkdir(dir, 0o755); err != nil {
					t.Fatal(err)
				}
				defer os.RemoveAll(dir)
				defer unix.Unmount(filepath.Join(dir, "merged"), unix.MNT_DETACH) // after a failure
				o := newOverlay(t, dir)
				for _, op := range drawScript(t, "before", 30) {
					if op.name == "setxattr" && op.n >= 2 && op.n <= 3 {
						continue // in a lower directory they are marks
					}
					op.run(o.lower)
				}
				sink := newMemory()
				base, _, err := capture.Directory(t.Context(), o.lower, sink, capture.Options{})
				if err != nil {
					t.Fatal(err)
				}
				same(t, listTree(t, base), listDisk(t, o.lower), "base: ")
				o.mount(t, options)
				for _, op := range drawScript(t, "then", 30) {
					// Only files and directories can have user xattrs, and with
					// them one inode number before and after they are copied up.
					op.regular = name == "userxattr"
					op.run(o.merged)
				}
				want := listDisk(t, o.merged)
				o.unmount(t)
				marks := listDisk(t, o.upper)
				cs, _, err := capture.Upper(t.Context(), base, o.upper, sink, capture.UpperOptions{UserXattrs: name == "userxattr"})
				if err != nil {
					t.Fatalf("%v\nupper:\n%s", err, marks)
				}
				got, err := compose.Patch(t.Context(), base, cs)
				if err != nil {
					t.Fatal(err)
				}
				same(t, listTree(t, got), want, "")
				needBodies(t, sink, got)
				if want == listTree(t, base) && !cs.IsEmpty() {
					t.Fatalf("nothing changed, but the change set says\n%s\nupper:\n%s", showChanges(cs), marks)
				}
			})
		})
	}
}

// shortDir is t.TempDir without the test's name in it.
func shortDir(t testing.TB) string {
	dir, err := os.MkdirTemp("", "capture")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func needBodies(t fatal, sink *memory, tr tree.Tree) {
	for it, err := range tree.Walk(context.Background(), tr, tree.WalkOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		if f, ok := it.Entry.(tree.File); ok && f.Size > 0 {
			if b, ok := sink.bodies[f.Content]; !ok || int64(len(b)) != f.Size {
				t.Fatalf("%s: the sink lacks its body", it.Path)
			}
		}
	}
}

func showChanges(cs tree.ChangeSet) string {
	var b strings.Builder
	var show func(d *tree.DirChange, at string)
	show = func(d *tree.DirChange, at string) {
		fmt.Fprintf(&b, "%s/ attr %v opaque %t\n", at, d.Attr, d.Opaque)
		for name, c := range d.All() {
			if sub, ok := c.(*tree.DirChange); ok {
				show(sub, at+"/"+name)
				continue
			}
			fmt.Fprintf(&b, "%s/%s %T %v\n", at, name, c, c)
		}
	}
	if cs.Root != nil {
		show(cs.Root, "")
	}
	fmt.Fprintln(&b, cs.Links)
	return b.String()
}
