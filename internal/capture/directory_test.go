package capture_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/internal/capture"
	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

func TestDirectoryIsWhatIsOnDisk(t *testing.T) {
	needRoot(t)
	top := shortDir(t)
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		dir := filepath.Join(top, fmt.Sprint(n))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, op := range drawScript(t, "script", 60) {
			op.run(dir)
		}
		sink := newMemory()
		tr, _, err := capture.Directory(t.Context(), dir, sink, capture.Options{})
		if err != nil {
			t.Fatal(err)
		}
		same(t, listTree(t, tr), listDisk(t, dir), "")
		needBodies(t, sink, tr)
	})
}

func TestDirectoryOfDebianIsWhatIsOnDisk(t *testing.T) {
	debian := os.Getenv("INLAY_TEST_DEBIAN")
	if debian == "" || os.Geteuid() != 0 {
		t.Skip("needs root, and a Debian root made by debootstrap in INLAY_TEST_DEBIAN")
	}
	tr, _, err := capture.Directory(t.Context(), debian, hasher{}, capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	same(t, listTree(t, tr), listDisk(t, debian), "")
}

func write(t testing.TB, path, body string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(body), 0o644)); err != nil {
		t.Fatal(err)
	}
}

func age(t testing.TB, root string) {
	t.Helper()
	time.Sleep(150 * time.Millisecond) // stamps must be older than a capture
}

func TestUnchangedFilesAreNotReadAgain(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	for i := range 20 {
		write(t, filepath.Join(dir, fmt.Sprint("d", i%3), fmt.Sprint(i)), fmt.Sprint("body ", i))
	}
	age(t, dir)
	sink := newMemory()
	run := func(want int64) tree.Tree {
		t.Helper()
		tr, st, err := capture.Directory(t.Context(), dir, sink, capture.Options{CacheDir: cache})
		if err != nil {
			t.Fatal(err)
		}
		if st.ReadFiles != want || st.Cached != 20-want || st.Files != 20 {
			t.Fatalf("want %d files read: %+v", want, st)
		}
		plain, _, err := capture.Directory(t.Context(), dir, newMemory(), capture.Options{})
		if err != nil || plain.Digest() != tr.Digest() {
			t.Fatal("the cache gives another tree", err)
		}
		return tr
	}
	run(20)
	run(0)

	// The same size, and the old time of modification: ctime tells.
	p := filepath.Join(dir, "d0", "0")
	old, err := os.Stat(p)
	if err != nil {
		t.Fatal(err)
	}
	write(t, p, "BODY 0")
	if err := os.Chtimes(p, old.ModTime(), old.ModTime()); err != nil {
		t.Fatal(err)
	}
	run(1)
	run(1) // too young to be trusted
	age(t, dir)
	run(1)
	run(0)

	// A body that the sink lost.
	for d, b := range sink.bodies {
		if string(b) == "body 7" {
			delete(sink.bodies, d)
		}
	}
	run(1)
	run(0)

	// A damaged cache is none.
	caches, err := filepath.Glob(filepath.Join(cache, "*"))
	if err != nil || len(caches) != 1 {
		t.Fatal(caches, err)
	}
	b, err := os.ReadFile(caches[0])
	if err != nil {
		t.Fatal(err)
	}
	b[len(b)/2] ^= 1
	if err := os.WriteFile(caches[0], b, 0o600); err != nil {
		t.Fatal(err)
	}
	run(20)
	run(0)
}

func TestExtendedAttributesOfCachedFilesAreSeen(t *testing.T) {
	dir, cache := t.TempDir(), t.TempDir()
	p := filepath.Join(dir, "f")
	write(t, p, "x")
	for _, value := range []string{"", "1", "2"} {
		if value != "" {
			if err := unix.Setxattr(p, "user.a", []byte(value), 0); err != nil {
				t.Skip("no user xattrs in ", dir)
			}
		}
		age(t, dir)
		for range 2 {
			tr, _, err := capture.Directory(t.Context(), dir, newMemoryWith("x"), capture.Options{CacheDir: cache})
			if err != nil {
				t.Fatal(err)
			}
			e, _ := tr.Lookup(t.Context(), "/f")
			if got, _ := e.Attr().Xattrs.Get("user.a"); got != value {
				t.Fatalf("user.a is %q, want %q", got, value)
			}
		}
	}
}

func newMemoryWith(body string) *memory {
	m := newMemory()
	m.PutBytes(context.Background(), []byte(body))
	return m
}

func TestHostileNamesAreNames(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"\xff\xfe", "new\nline", strings.Repeat("n", 255), " ", "-rf", "..a", "\x01"} {
		write(t, filepath.Join(dir, name), name)
	}
	if err := unix.Mkfifo(filepath.Join(dir, "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	tr, _, err := capture.Directory(t.Context(), dir, newMemory(), capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	same(t, listTree(t, tr), listDisk(t, dir), "")
}

func TestDeepDirectoriesAreCaptured(t *testing.T) {
	dir := t.TempDir()
	const depth = 1000
	fd, err := unix.Open(dir, unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.Repeat("d", 100) // beyond PATH_MAX by far
	for range depth {
		if err := unix.Mkdirat(fd, name, 0o755); err != nil {
			t.Fatal(err)
		}
		next, err := unix.Openat(fd, name, unix.O_DIRECTORY, 0)
		unix.Close(fd)
		if err != nil {
			t.Fatal(err)
		}
		fd = next
	}
	f, err := unix.Openat(fd, "bottom", unix.O_CREAT|unix.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	unix.Close(f)
	unix.Setxattr(fmt.Sprintf("/proc/self/fd/%d/bottom", fd), "user.deep", []byte("1"), 0)
	unix.Close(fd)
	tr, st, err := capture.Directory(t.Context(), dir, newMemory(), capture.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if st.Entries != depth+1 || tr.Count() != depth+1 {
		t.Fatal(st, tr.Count())
	}
}

func TestWideDirectoriesAreCaptured(t *testing.T) {
	dir := t.TempDir()
	n := int64(30_000)
	if os.Getenv("INLAY_LONG") != "" {
		n = 1_000_000
	}
	for i := range n {
		fd, err := syscall.Open(fmt.Sprintf("%s/%06d", dir, i), syscall.O_CREAT|syscall.O_WRONLY, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		syscall.Close(fd)
	}
	tr, _, err := capture.Directory(t.Context(), dir, newMemory(), capture.Options{})
	if err != nil || tr.Len() != n {
		t.Fatal(tr.Len(), err)
	}
}

func TestUnreadableFilesAreErrorsThatNameThem(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root reads everything; see TestAsNobody")
	}
	dir := t.TempDir()
	p := filepath.Join(dir, "sub", "secret")
	write(t, p, "x")
	os.Chmod(p, 0)
	_, _, err := capture.Directory(t.Context(), dir, newMemory(), capture.Options{})
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(fmt.Sprint(err), p) {
		t.Fatal(err)
	}
	if _, _, err := capture.Directory(t.Context(), dir, newMemory(), capture.Options{Exclude: []string{"sub/secret"}}); err != nil {
		t.Fatal(err)
	}
}

func TestMissingAndWrongKindsAreErrors(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "f"), "x")
	unix.Mkfifo(filepath.Join(dir, "p"), 0o644)
	if _, _, err := capture.Directory(t.Context(), filepath.Join(dir, "no"), newMemory(), capture.Options{}); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	if _, _, err := capture.Directory(t.Context(), filepath.Join(dir, "f"), newMemory(), capture.Options{}); !errors.Is(err, unix.ENOTDIR) {
		t.Fatal(err)
	}
	for _, name := range []string{"", "p"} {
		if _, _, err := capture.File(t.Context(), filepath.Join(dir, name), newMemory(), capture.Options{}); err == nil {
			t.Fatal(name)
		}
	}
	f, _, err := capture.File(t.Context(), filepath.Join(dir, "f"), newMemory(), capture.Options{Owner: &capture.Owner{UID: 5, GID: 6}})
	if err != nil || f.Size != 1 || f.Attributes.UID != 5 || f.Attributes.GID != 6 {
		t.Fatal(f, err)
	}
	for _, uid := range []uint32{1<<32 - 1} {
		if _, _, err := capture.File(t.Context(), filepath.Join(dir, "f"), newMemory(), capture.Options{Owner: &capture.Owner{UID: uid}}); !errors.Is(err, capture.ErrOwner) {
			t.Fatal(err)
		}
	}
}

// A directory that is swapped for a symlink under way is never left by it.
func TestSwappedDirectoriesLeadNowhere(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	write(t, filepath.Join(outside, "secret"), "secret")
	for i := range 50 {
		write(t, filepath.Join(dir, "a", fmt.Sprint(i)), "x")
	}
	link := filepath.Join(dir, "l")
	if err := os.Symlink(outside, link); err != nil {
		t.Fatal(err)
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				unix.Renameat2(unix.AT_FDCWD, link, unix.AT_FDCWD, filepath.Join(dir, "a"), unix.RENAME_EXCHANGE)
			}
		}
	}()
	defer func() { close(stop); <-stopped }()
	ok := 0
	for range 300 {
		tr, _, err := capture.Directory(t.Context(), dir, hasher{}, capture.Options{})
		if err != nil {
			if !errors.Is(err, capture.ErrChanged) {
				t.Fatal(err)
			}
			continue
		}
		ok++
		for it, err := range tree.Walk(t.Context(), tr, tree.WalkOptions{}) {
			if err != nil || strings.HasSuffix(it.Path, "secret") {
				t.Fatal(it.Path, err)
			}
		}
	}
	t.Logf("%d of 300 captures succeeded", ok)
}

func TestFilesThatKeepChangingAreErrorsThatNameThem(t *testing.T) {
	dir := t.TempDir()
	p := filepath.Join(dir, "busy")
	f, err := os.Create(p)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(64 << 20); err != nil {
		t.Fatal(err)
	}
	f.WriteAt(make([]byte, 8<<20), 0)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := int64(0); ; i++ {
			select {
			case <-stop:
				return
			default:
				f.WriteAt([]byte{byte(i)}, i)
				time.Sleep(time.Millisecond)
			}
		}
	}()
	defer func() { close(stop); <-stopped }()
	_, _, err = capture.Directory(t.Context(), dir, hasher{}, capture.Options{})
	var c *capture.ChangedError
	if !errors.As(err, &c) || c.Path != p {
		t.Fatal(err)
	}
}

func TestCaptureEndsWithItsContextAndLeavesNoDescriptor(t *testing.T) {
	dir := t.TempDir()
	for i := range 1000 { // directories and files beside each other, so that it ends between them
		write(t, filepath.Join(dir, fmt.Sprint(i), "f"), "x")
		write(t, filepath.Join(dir, fmt.Sprint(i)+"f"), "x")
	}
	// What is open below dir: the runtime has descriptors of its own.
	count := func() (n int) {
		l, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skip(err)
		}
		for _, e := range l {
			if at, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil && strings.HasPrefix(at, dir) {
				n++
			}
		}
		return n
	}
	before := count()
	ways := map[string]func(context.Context) error{
		"Directory": func(ctx context.Context) error {
			_, _, err := capture.Directory(ctx, dir, hasher{}, capture.Options{})
			return err
		},
		"Upper": func(ctx context.Context) error {
			_, _, err := capture.Upper(ctx, treetest.MustParse("").MustTree(), dir, newMemory(), capture.UpperOptions{})
			return err
		},
	}
	for name, capture := range ways {
		for i := range 100 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i)*100*time.Microsecond)
			err := capture(ctx)
			cancel()
			if err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			if after := count(); after > before {
				t.Fatalf("%s, ended after %d µs: %d descriptors, %d before", name, i*100, after, before)
			}
		}
	}
}
