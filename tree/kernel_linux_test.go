package tree_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sys/unix"
)

// linkTree makes a random tree of directories, empty files and symlinks, in
// memory and below dir.
func linkTree(t *testing.T, r *rand.Rand, dir string) tree.Tree {
	t.Helper()
	names := []string{"a", "b", "c", "usr", "l"}
	long := strings.Repeat("n", tree.MaxName)
	target := func() string {
		var parts []string
		for range 1 + r.IntN(4) {
			parts = append(parts, []string{"a", "b", "c", "usr", "l", "..", ".", "", "..", "a", long}[r.IntN(11)])
		}
		p := strings.Join(parts, "/")
		if r.IntN(4) == 0 {
			p = "/" + p
		}
		if r.IntN(5) == 0 {
			p += "/"
		}
		if r.IntN(60) == 0 {
			p = "a/" + long + "n"
		}
		if p == "" {
			p = "."
		}
		return p
	}
	var fill func(d *tree.Draft, at string, depth int)
	fill = func(d *tree.Draft, at string, depth int) {
		for _, n := range names {
			p := filepath.Join(at, n)
			var err error
			switch k := r.IntN(8); {
			case k < 3 && depth > 0:
				err = os.Mkdir(p, 0o755)
				fill(d.MakeDir(n, tree.Attr{Mode: 0o755}), p, depth-1)
			case k < 6:
				to := target()
				err = os.Symlink(to, p)
				d.Put(n, tree.Symlink{Target: to})
			case k == 6:
				err = os.WriteFile(p, nil, 0o644)
				d.Put(n, tree.File{Attributes: tree.Attr{Mode: 0o644}})
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if r.IntN(4) == 0 {
			if err := os.Mkdir(filepath.Join(at, long), 0o755); err != nil {
				t.Fatal(err)
			}
			d.MakeDir(long, tree.Attr{Mode: 0o755})
		}
	}
	d := tree.NewDraft(tree.Empty())
	fill(d, dir, 3)
	tr, err := d.Tree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// kernelResolve gives where the kernel says that a path leads whose root is the
// directory.
func kernelResolve(t *testing.T, root int, dir, p string, follow tree.Follow) (string, error) {
	t.Helper()
	how := &unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT}
	if follow == tree.FollowParents {
		how.Flags |= unix.O_NOFOLLOW
	}
	fd, err := unix.Openat2(root, p, how)
	for errors.Is(err, unix.EAGAIN) { // something was renamed meanwhile, anywhere
		fd, err = unix.Openat2(root, p, how)
	}
	if errors.Is(err, unix.ENOSYS) {
		t.Skip("this kernel has no openat2")
	}
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	at, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	if err != nil {
		t.Fatal(err)
	}
	return "/" + strings.TrimPrefix(strings.TrimPrefix(at, dir), "/"), nil
}

func agrees(got tree.Resolution, err error, want string, kernel error) bool {
	switch kernel {
	case nil:
		return err == nil && got.Entry != nil && got.Path == want
	case unix.ENOENT:
		return err == nil && got.Entry == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, tree.ErrName)
	case unix.ENOTDIR:
		return errors.Is(err, tree.ErrNotDirectory)
	case unix.ELOOP:
		return errors.Is(err, tree.ErrLoop)
	case unix.ENAMETOOLONG:
		return errors.Is(err, tree.ErrName)
	}
	return false
}

func TestResolvingIsWhatTheKernelDoesInAChroot(t *testing.T) {
	trees, paths := 60, 200
	if os.Getenv("INLAY_LONG") != "" {
		trees = 3000
	}
	seen := map[error]int{}
	for i := range trees {
		r := rand.New(rand.NewPCG(uint64(i), 4))
		dir, err := filepath.EvalSymlinks(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		tr := linkTree(t, r, dir)
		root, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		for range paths {
			var parts []string
			for range 1 + r.IntN(6) {
				parts = append(parts, []string{"a", "b", "c", "usr", "l"}[r.IntN(5)])
			}
			p := "/" + strings.Join(parts, "/")
			follow := []tree.Follow{tree.FollowAll, tree.FollowParents}[r.IntN(2)]
			want, kernel := kernelResolve(t, root, dir, p, follow)
			got, err := tree.Resolve(t.Context(), tr, p, follow)
			seen[kernel]++
			if !agrees(got, err, want, kernel) {
				t.Fatalf("tree %d: %s (%d): %q %v, the kernel says %q %v", i, p, follow, got.Path, err, want, kernel)
			}
			// The draft of a tree resolves as the tree does.
			again, errAgain := tree.NewDraft(tr).Resolve(t.Context(), p, follow)
			if (err == nil) != (errAgain == nil) || again.Path != got.Path || again.Nearest != got.Nearest {
				t.Fatalf("tree %d: %s: the draft says %q %v, the tree %q %v", i, p, again.Path, errAgain, got.Path, err)
			}
		}
		unix.Close(root)
		os.RemoveAll(dir)
	}
	t.Log(seen)
}

// Linux follows 40 links in one path, and no more.
func TestFortyLinksAreFollowedAndNoMore(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	d := tree.NewDraft(tree.Empty())
	d.Put("0", tree.File{})
	if err := os.WriteFile(filepath.Join(dir, "0"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for i := 1; i < 50; i++ {
		name, to := fmt.Sprint(i), fmt.Sprint(i-1)
		d.Put(name, tree.Symlink{Target: to})
		if err := os.Symlink(to, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	tr, err := d.Tree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	root, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(root)
	for i := range 50 {
		p := fmt.Sprintf("/%d", i)
		want, kernel := kernelResolve(t, root, dir, p, tree.FollowAll)
		got, err := tree.Resolve(context.Background(), tr, p, tree.FollowAll)
		if !agrees(got, err, want, kernel) || (i <= tree.MaxLinks) != (err == nil) {
			t.Fatalf("%d links: %q %v, the kernel says %q %v", i, got.Path, err, want, kernel)
		}
		if err != nil && strings.Count(err.Error(), " -> ") != tree.MaxLinks+1 {
			t.Fatalf("%v does not name the chain", err)
		}
	}
}

func TestALoopIsToldOnce(t *testing.T) {
	d := tree.NewDraft(tree.Empty())
	d.Put("a", tree.Symlink{Target: "b"})
	d.Put("b", tree.Symlink{Target: "a"})
	tr, err := d.Tree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = tree.Resolve(t.Context(), tr, "/a/x", tree.FollowAll)
	if !errors.Is(err, tree.ErrLoop) || !strings.HasSuffix(err.Error(), "/a -> b, /b -> a, ...") {
		t.Fatal(err)
	}
}
