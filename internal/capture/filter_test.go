package capture_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/capture"
	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sys/unix"
)

func paths(t *testing.T, tr tree.Tree) string {
	t.Helper()
	var out []string
	for it, err := range tree.Walk(t.Context(), tr, tree.WalkOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, it.Path)
	}
	return strings.Join(out[1:], " ")
}

func TestPatternsChooseWhatIsCaptured(t *testing.T) {
	dir := t.TempDir()
	for _, p := range []string{"a/keep.go", "a/x.o", "a/deep/y.go", "b/z.o", "node_modules/m/i.js", "top.go", "e/ignored"} {
		write(t, filepath.Join(dir, p), p)
	}
	os.Mkdir(filepath.Join(dir, "empty"), 0o700)
	write(t, filepath.Join(dir, ".gitignore"), "*.o\n/e/\n")
	write(t, filepath.Join(dir, "b", ".gitignore"), "!z.o\n")
	for _, c := range []struct {
		o    capture.Options
		want string
	}{
		{capture.Options{Include: []string{"**/*.go"}}, "/a /a/deep /a/deep/y.go /a/keep.go /top.go"},
		{capture.Options{Include: []string{"/a"}, Exclude: []string{"a/deep"}}, "/a /a/keep.go /a/x.o"},
		{capture.Options{Exclude: []string{"*", "!a/deep", "!empty"}}, "/a /a/deep /a/deep/y.go /empty"},
		{capture.Options{Exclude: []string{"node_modules", ".gitignore", "**/.gitignore"}, Gitignore: true}, "/a /a/deep /a/deep/y.go /a/keep.go /b /b/z.o /empty /top.go"},
		{capture.Options{Include: []string{"none"}}, ""},
	} {
		tr, _, err := capture.Directory(t.Context(), dir, newMemory(), c.o)
		if err != nil {
			t.Fatal(err)
		}
		if got := paths(t, tr); got != c.want {
			t.Errorf("%+v:\ngot  %s\nwant %s", c.o, got, c.want)
		}
	}
}

func TestOwnerAndRootAttributesAreTaken(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "f"), "x")
	os.Chmod(dir, 0o710)
	tr, _, err := capture.Directory(t.Context(), dir, newMemory(), capture.Options{Owner: &capture.Owner{UID: 7, GID: 8}})
	if err != nil {
		t.Fatal(err)
	}
	f, _ := tr.Lookup(t.Context(), "f")
	for _, a := range []tree.Attr{tr.Attr(), f.Attr()} {
		if a.UID != 7 || a.GID != 8 {
			t.Error(a)
		}
	}
	if tr.Attr().Mode != 0o710 {
		t.Error(tr.Attr())
	}
}

func TestMountsAreEnteredUnlessOneFileSystem(t *testing.T) {
	needRoot(t)
	dir := shortDir(t)
	m := filepath.Join(dir, "m")
	os.Mkdir(m, 0o755)
	if err := unix.Mount("tmpfs", m, "tmpfs", 0, ""); err != nil {
		t.Skip(err)
	}
	defer unix.Unmount(m, unix.MNT_DETACH)
	write(t, filepath.Join(m, "f"), "x")
	for one, want := range map[bool]string{false: "/m /m/f", true: "/m"} {
		tr, _, err := capture.Directory(t.Context(), dir, newMemory(), capture.Options{OneFileSystem: one})
		if err != nil || paths(t, tr) != want {
			t.Errorf("one %t: %s, %v", one, paths(t, tr), err)
		}
	}
}

func TestHolesAreZerosThatNobodyReads(t *testing.T) {
	dir := t.TempDir()
	p := filepath.Join(dir, "sparse")
	f, err := os.Create(p)
	if err != nil {
		t.Fatal(err)
	}
	f.WriteAt([]byte("end"), 32<<20)
	f.WriteAt([]byte("mid"), 3<<20)
	f.Truncate(50 << 20)
	f.Close()
	tr, st, err := capture.Directory(t.Context(), dir, hasher{}, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	b, _ := os.ReadFile(p)
	e, _ := tr.Lookup(t.Context(), "sparse")
	if e.(tree.File).Content != digest.Of(b) {
		t.Error("another content")
	}
	if st.ReadBytes > 1<<20 {
		t.Errorf("%d bytes were read", st.ReadBytes)
	}
}

func TestProgressEndsWithAllOfIt(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a", "f"), "x")
	var told []capture.Stats
	_, st, err := capture.Directory(t.Context(), dir, newMemory(), capture.Options{Progress: func(s capture.Stats) { told = append(told, s) }})
	if err != nil || len(told) == 0 || told[len(told)-1] != st || st.Entries != 2 {
		t.Fatal(told, st, err)
	}
	if !slices.IsSortedFunc(told, func(a, b capture.Stats) int { return int(a.Entries - b.Entries) }) {
		t.Fatal(told)
	}
}
