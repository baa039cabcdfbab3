package embedded_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/engine/enginetest"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/tree"
)

// idle is a remote that nothing is asked of.
type idle struct{ engine.Remote }

func (idle) Close(context.Context) error { return nil }

func (idle) OpenContent(context.Context, digest.Digest) (io.ReadCloser, error) {
	return nil, os.ErrNotExist
}

// withRemote gives options of an engine that does not wait for new files.
func withRemote(store string) embedded.Options {
	return embedded.Options{Store: store, Remote: func(engine.Local) (engine.Remote, error) { return idle{}, nil }}
}

// newFile gives a directory with a new file.
func newFile(name string, content []byte) *graph.Node {
	return graph.New(graph.NewFile{Path: name, Content: content}, "with-new-file", graph.New(graph.Scratch{}, "scratch"))
}

func contentOf(t *testing.T, e *embedded.Engine, res engine.Result, name string) ([]byte, error) {
	t.Helper()
	f, err := res.Tree.Lookup(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := e.OpenContent(t.Context(), f.(tree.File).Content)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return b
}

// smallDisk gives a directory with 8 MiB of room, and what gives it more.
func smallDisk(t *testing.T) (dir string, grow func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: a file system of its own")
	}
	dir = t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=8m"); err != nil {
		t.Skip("needs mount(2): ", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir, func() {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, "size=100m"); err != nil {
			t.Fatal(err)
		}
	}
}

// exportNew makes an image of a result, for which the store needs all of it.
func exportNew(t *testing.T, e *embedded.Engine, res engine.Result) error {
	t.Helper()
	_, err := e.Export(t.Context(), res, place(t, "oci:"+filepath.Join(t.TempDir(), "out")), engine.ExportOptions{})
	return err
}

func TestANewFileThatCannotBeWrittenIsTheErrorOfWhoNeedsItAlone(t *testing.T) {
	for _, remote := range []bool{false, true} {
		disk, grow := smallDisk(t)
		o := embedded.Options{Store: filepath.Join(disk, "store")}
		if remote {
			o = withRemote(o.Store)
		}
		e := open(t, o)
		big := newFile("/big", bytes.Repeat([]byte("0123456789abcdef"), 1<<20))
		for range 2 {
			res, err := e.Resolve(t.Context(), big, nil)
			for end := time.Now().Add(time.Minute); err == nil && remote && time.Now().Before(end); {
				_, err = contentOf(t, e, res, "big") // until it is known
			}
			if !errors.Is(err, syscall.ENOSPC) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("remote %v: %v", remote, err)
			}
			res, err = e.Resolve(t.Context(), newFile("/small", []byte("small")), nil)
			if err == nil {
				err = exportNew(t, e, res)
			}
			if err != nil {
				t.Errorf("remote %v: another file: %v", remote, err)
			}
			if left, _ := filepath.Glob(filepath.Join(disk, "store/ingest/*")); len(left) > 0 {
				t.Errorf("left %s", left)
			}
		}
		grow()
		res, err := e.Resolve(t.Context(), big, nil)
		if err == nil {
			err = exportNew(t, e, res)
		}
		if err != nil {
			t.Errorf("remote %v: where there is room again: %v", remote, err)
		}
		sound(t, e)
	}
}

func TestWhatHasNewFilesIsExportedBesideCaches(t *testing.T) {
	for _, scheme := range []string{"dir:", "tar:", "oci:"} {
		o := withRemote("")
		o.CacheFrom = []engine.Cache{{Type: "local", Attrs: map[string]string{"src": filepath.Join(t.TempDir(), "none")}}}
		e := open(t, o)
		res, err := e.Resolve(t.Context(), newFile("/big", randomBytes(16<<20)), nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Export(t.Context(), res, place(t, scheme+filepath.Join(t.TempDir(), "out")), engine.ExportOptions{}); err != nil {
			t.Errorf("%s %v", scheme, err)
		}
	}
}

func TestANewFileThatIsChangedAfterwardsIsNotKept(t *testing.T) {
	e := open(t, withRemote(""))
	content := randomBytes(24 << 20)
	res, err := e.Resolve(t.Context(), newFile("/big", content), nil)
	clear(content)
	if err == nil {
		err = exportNew(t, e, res)
	}
	if err == nil || !strings.Contains(err.Error(), "changed") && !errors.Is(err, digest.ErrMismatch) {
		t.Errorf("%v", err)
	}
	sound(t, e)
}

func TestANewFileThatWentComesBackWithItsNextResolution(t *testing.T) {
	for _, o := range []embedded.Options{{}, withRemote("")} {
		e := open(t, o)
		run := e.Begin("")
		content := []byte("some content")
		n := newFile("/f", content)
		for range 2 {
			res, err := run.Resolve(t.Context(), n, nil)
			if err == nil {
				err = exportNew(t, e, res)
			}
			if err != nil {
				t.Fatal(err)
			}
			if b, err := contentOf(t, e, res, "f"); err != nil || !bytes.Equal(b, content) {
				t.Errorf("%q, %v", b, err)
			}
			all, _ := filepath.Glob(filepath.Join(e.Store().BlobsDir(), "*", "*"))
			for _, p := range all {
				if b, _ := os.ReadFile(p); bytes.Equal(b, content) {
					must(t, os.Remove(p))
				}
			}
		}
		must(t, run.End(t.Context(), nil))
	}
}

// Who is stopped does not wait for a disk, nor for a collector that does not go on.
func TestNobodyWaitsLongerForNewFilesThanTheyWant(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	e, err := embedded.Open(t.Context(), withRemote(dir))
	must(t, err)
	res, err := e.Resolve(t.Context(), newFile("/f", randomBytes(16<<20)), nil)
	must(t, err)
	turn, err := os.Open(filepath.Join(dir, "leases", ".turn"))
	must(t, err)
	defer turn.Close()
	must(t, syscall.Flock(int(turn.Fd()), syscall.LOCK_EX))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := e.Export(ctx, res, place(t, "oci:"+filepath.Join(t.TempDir(), "out")), engine.ExportOptions{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	closed := make(chan error, 1)
	go func() { closed <- e.Close(context.Background()) }()
	select {
	case err := <-closed:
		must(t, err)
	case <-time.After(20 * time.Second):
		t.Error("the engine is not closed")
	}
}

// Whoever resolves a part of a graph finds the new files of all of it, however many do
// at once.
func TestProcessesFindNewFiles(t *testing.T) {
	needsProcesses(t)
	e := open(t, embedded.Options{})
	run := e.Begin("")
	with := graph.New(graph.NewFile{Path: "/new", Content: bytes.Repeat([]byte("x"), 16<<20)}, "with-new-file", enginetest.Busybox(t))
	sum := graph.New(graph.Exec{Args: []string{"/bin/sh", "-c", "wc -c < /new > /size"}}, "with-exec", with)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			res, err := run.Resolve(t.Context(), sum, nil)
			if err != nil {
				t.Error(err)
				return
			}
			if size, err := contentOf(t, e, res, "size"); err != nil || string(size) != "16777216\n" {
				t.Errorf("%q, %v", size, err)
			}
		})
	}
	wg.Wait()
	must(t, run.End(t.Context(), nil))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
