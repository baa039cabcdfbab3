package tree_test

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sys/unix"
)

// The kernel is the judge of what a path means: openat2(2) with RESOLVE_IN_ROOT
// walks it as a process in a chroot does. Where a path leads to nothing, it is
// made to create something there, which tells the place.
//
// There is one difference, which is ours: below a missing directory, a name that
// no directory can have is an error of the name, not of the directory.

// kernel resolves paths in a directory of this machine.
type kernel struct {
	dir  string
	root int
}

func openKernel(t *testing.T, l treetest.Listing) *kernel {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "inlay-") // in memory, if that is there
	if err != nil {
		dir, err = filepath.EvalSymlinks(t.TempDir())
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := treetest.Write(l, dir); err != nil {
		t.Fatal(err)
	}
	root, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	return &kernel{dir, root}
}

func (k *kernel) close() {
	unix.Close(k.root)
	os.RemoveAll(k.dir)
}

// open opens a path, and gives where that led. The path must be clean, as
// [tree.Resolve] makes it first.
func (k *kernel) open(p string, follow tree.Follow, flags uint64) (string, error) {
	how := &unix.OpenHow{Flags: flags | unix.O_CLOEXEC, Resolve: unix.RESOLVE_IN_ROOT}
	if flags&unix.O_CREAT != 0 {
		how.Mode = 0o600
	}
	if follow != tree.FollowAll {
		how.Flags |= unix.O_NOFOLLOW
	}
	if follow == tree.FollowNone {
		how.Resolve |= unix.RESOLVE_NO_SYMLINKS
	}
	fd, err := treetest.Openat2(k.root, p, how)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	at, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", fd))
	return "/" + strings.TrimPrefix(strings.TrimPrefix(at, k.dir), "/"), err
}

// create gives where a path leads to which leads to nothing: what comes to be
// when the parents of where it is said to lead are made, and a file is created by
// it.
func (k *kernel) create(p string, follow tree.Follow, said tree.Resolution) (string, error) {
	if made := strings.TrimPrefix(path.Dir(said.Path), said.Nearest); made != "" {
		first, _, _ := strings.Cut(strings.Trim(made, "/"), "/")
		defer os.RemoveAll(filepath.Join(k.dir, said.Nearest, first))
	}
	if err := os.MkdirAll(filepath.Join(k.dir, path.Dir(said.Path)), 0o700); err != nil {
		return "", err
	}
	at, err := k.open(p, follow, unix.O_CREAT|unix.O_WRONLY)
	if errors.Is(err, unix.EISDIR) { // by a link whose target ends in a slash
		if err = os.Mkdir(filepath.Join(k.dir, said.Path), 0o700); err == nil {
			at, err = k.open(p, follow, unix.O_PATH)
		}
	}
	if err == nil {
		err = os.Remove(filepath.Join(k.dir, at))
	}
	return at, err
}

// disagrees tells what is wrong with where a path is said to lead.
func (k *kernel) disagrees(p string, follow tree.Follow, got tree.Resolution, err error) (wrong string, kernel error) {
	want, kernel := k.open(p, follow, unix.O_PATH)
	ok := false
	switch kernel {
	case nil:
		ok = err == nil && got.Entry != nil && got.Path == want
	case unix.ENOENT:
		if err != nil {
			ok = errors.Is(err, fs.ErrNotExist) || errors.Is(err, tree.ErrName)
			break
		}
		want, createErr := k.create(p, follow, got)
		if ok = createErr == nil && got.Entry == nil && got.Path == want; !ok {
			return fmt.Sprintf("%q, the kernel creates %q %v", got.Path, want, createErr), kernel
		}
	case unix.ENOTDIR:
		ok = errors.Is(err, tree.ErrNotDirectory)
	case unix.ELOOP:
		ok = errors.Is(err, tree.ErrLoop) || follow == tree.FollowNone && errors.Is(err, tree.ErrNotDirectory)
	case unix.ENAMETOOLONG:
		ok = errors.Is(err, tree.ErrName)
	}
	if ok {
		return "", kernel
	}
	return fmt.Sprintf("%q %v, the kernel says %q %v", got.Path, err, want, kernel), kernel
}

// linkFarm draws a listing that anybody can write to a disk, with more symlinks
// than others have: to names that are too long, through files, up and down,
// ladders of links as long as the kernel allows, and longer.
func linkFarm(r *rand.Rand, seed uint64) treetest.Listing {
	l := treetest.Seeded(seed).Listing(treetest.Limits{Disk: true})
	names := namesOf(l)
	taken := map[string]bool{}
	for n := range l {
		i := &l[n]
		taken[i.Path] = true
		i.Attr = tree.Attr{Mode: 0o755, UID: uint32(os.Getuid()), GID: uint32(os.Getgid())}
		if i.Kind > tree.KindSymlink { // nodes need root
			*i = treetest.Item{Path: i.Path, Same: i.Same, Kind: tree.KindFifo, Attr: i.Attr}
		}
	}
	link := func(p, target string) {
		if !taken[p] {
			taken[p] = true
			l = append(l, treetest.Item{Path: p, Kind: tree.KindSymlink, Attr: l[0].Attr, Target: target})
		}
	}
	var dirs []string
	for _, i := range l {
		if i.Kind == tree.KindDirectory {
			dirs = append(dirs, i.Path)
		}
	}
	tooLong := strings.Repeat("n", tree.MaxName+1)
	for range r.IntN(8) {
		parts := []string{}
		for range 1 + r.IntN(4) {
			parts = append(parts, []string{"..", ".", "", "none", tooLong, ".."}[r.IntN(6)], names[r.IntN(len(names))])
		}
		target := strings.Join(parts[r.IntN(2):], "/") + []string{"", "", "/", "/.", "/.."}[r.IntN(5)]
		link(path.Join(dirs[r.IntN(len(dirs))], "l"+fmt.Sprint(r.IntN(4))), target)
	}
	if r.IntN(6) == 0 {
		link("/k0", []string{".", "/", "..", "none", "a", "a/none", "k45"}[r.IntN(7)])
		for n := 1; n <= 45; n++ {
			link(fmt.Sprintf("/k%d", n), []string{"", "/", "../"}[r.IntN(3)]+fmt.Sprintf("k%d", n-1))
		}
	}
	l.Sort()
	return l
}

// namesOf gives the names that a listing has, and one that it has not.
func namesOf(l treetest.Listing) []string {
	names := map[string]bool{"missing": true}
	for _, i := range l[1:] {
		names[path.Base(i.Path)] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// somePath draws a path of a listing, that leads through it, or nowhere.
func somePath(r *rand.Rand, l treetest.Listing, names []string) string {
	p := "/"
	if r.IntN(2) == 0 {
		p = l[r.IntN(len(l))].Path
	}
	for range r.IntN(5) {
		p = path.Join(p, names[r.IntN(len(names))])
	}
	if r.IntN(10) == 0 {
		p += []string{"/", "/.", "/../" + names[0], "//" + names[0]}[r.IntN(4)]
	}
	return p
}

func TestResolvingIsWhatTheKernelDoesInAChroot(t *testing.T) {
	trees, paths := 150, 300
	if os.Getenv("INLAY_LONG") != "" {
		trees, paths = 2500, 500
	}
	seen, hops := map[string]int{}, map[int]int{}
	for n := range trees {
		r := rand.New(rand.NewPCG(uint64(n), 4))
		l := linkFarm(r, uint64(n))
		tr, names, k := l.MustTree(), namesOf(l), openKernel(t, l)
		if _, err := k.open("/", tree.FollowAll, unix.O_PATH); errors.Is(err, unix.ENOSYS) {
			t.Skip("this kernel has no openat2")
		}
		for range paths {
			p := somePath(r, l, names)
			clean, err := tree.CleanPath(p)
			if err != nil {
				t.Fatal(err)
			}
			follow := []tree.Follow{tree.FollowAll, tree.FollowParents, tree.FollowAll, tree.FollowParents, tree.FollowNone}[r.IntN(5)]
			got, err := tree.Resolve(t.Context(), tr, p, follow)
			wrong, kernel := k.disagrees(clean, follow, got, err)
			if wrong != "" {
				t.Fatalf("%q (%d): %s\n%s", p, follow, wrong, l)
			}
			seen[fmt.Sprint(kernel)]++
			hops[len(got.Hops)]++
			// The draft of a tree resolves as the tree does.
			again, errAgain := tree.NewDraft(tr).Resolve(t.Context(), p, follow)
			if (err == nil) != (errAgain == nil) || again.Path != got.Path || again.Nearest != got.Nearest {
				t.Fatalf("%q: the draft says %q %v, the tree %q %v\n%s", p, again.Path, errAgain, got.Path, err, l)
			}
		}
		k.close()
	}
	t.Logf("%d pairs, what the kernel said: %v; through 39, 40 and 41 links: %d, %d, %d",
		trees*paths, seen, hops[39], hops[40], hops[41])
	for _, n := range []int{0, 1, 39, 40, 41} {
		if hops[n] == 0 {
			t.Errorf("no path led through %d links", n)
		}
	}
	for _, e := range []error{nil, unix.ENOENT, unix.ENOTDIR, unix.ELOOP, unix.ENAMETOOLONG} {
		if seen[fmt.Sprint(e)] == 0 {
			t.Errorf("the kernel never said %v", e)
		}
	}
}

// Linux follows 40 links in one path, and no more.
func TestFortyLinksAreFollowedAndNoMore(t *testing.T) {
	text := "0 = f\n"
	for n := 1; n < 50; n++ {
		text += fmt.Sprintf("%d -> %d\n", n, n-1)
	}
	l := treetest.MustParse(text)
	for n := range l { // anybody can write it
		l[n].Attr.UID, l[n].Attr.GID = uint32(os.Getuid()), uint32(os.Getgid())
	}
	tr, k := l.MustTree(), openKernel(t, l)
	defer k.close()
	for n := range 50 {
		p := fmt.Sprintf("/%d", n)
		got, err := tree.Resolve(t.Context(), tr, p, tree.FollowAll)
		if wrong, _ := k.disagrees(p, tree.FollowAll, got, err); wrong != "" || (n <= tree.MaxLinks) != (err == nil) {
			t.Fatalf("%d links: %v %s", n, err, wrong)
		}
		if err != nil && strings.Count(err.Error(), " -> ") != tree.MaxLinks+1 {
			t.Fatalf("%v does not name the chain", err)
		}
	}
}

func TestALoopIsToldOnce(t *testing.T) {
	tr := treetest.MustParse("a -> b\nb -> a\n").MustTree()
	_, err := tree.Resolve(t.Context(), tr, "/a/x", tree.FollowAll)
	if !errors.Is(err, tree.ErrLoop) || !strings.HasSuffix(err.Error(), "/a -> b, /b -> a, ...") {
		t.Fatal(err)
	}
}
