package embedded_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/engine/enginetest"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/tree"
)

// newFile gives a directory with a new file, and its content.
func newFile(name string, content []byte) *graph.Node {
	return graph.New(graph.NewFile{Path: name, Content: content}, "with-new-file", graph.New(graph.Scratch{}, "scratch"))
}

func contentOf(t *testing.T, e *embedded.Engine, res engine.Result, name string) []byte {
	t.Helper()
	f, err := res.Tree.Lookup(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := e.OpenContent(t.Context(), f.(tree.File).Content)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// What is only composed does not need the disk; what has to be kept says why it cannot
// be, and is when there is room again.
func TestANewFileIsThereBeforeTheStoreHasIt(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: a file system of its own")
	}
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=8m"); err != nil {
		t.Skip("needs mount(2): ", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	e := open(t, embedded.Options{Store: filepath.Join(disk, "store")})
	content := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	res, err := e.Resolve(t.Context(), newFile("/big", content), nil)
	if err != nil {
		t.Fatal(err)
	}
	to := place(t, "oci:"+filepath.Join(t.TempDir(), "out"))
	for range 2 {
		if !bytes.Equal(contentOf(t, e, res, "big"), content) {
			t.Error("another content")
		}
		if _, err := e.Export(t.Context(), res, to, engine.ExportOptions{}); !errors.Is(err, syscall.ENOSPC) {
			t.Errorf("it was kept where there is no room: %v", err)
		}
		if left, _ := filepath.Glob(filepath.Join(disk, "store/ingest/*")); len(left) > 0 {
			t.Errorf("left %s", left)
		}
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, "size=100m"); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Export(t.Context(), res, to, engine.ExportOptions{}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(contentOf(t, e, res, "big"), content) {
		t.Error("another content")
	}
	sound(t, e)
}

// Whoever resolves a part of a graph finds the new files of all of it, however many do
// at once.
func TestProcessesFindNewFilesThatAreOnTheirWay(t *testing.T) {
	needsProcesses(t)
	base := enginetest.Busybox(t)
	e := open(t, embedded.Options{})
	run := e.Begin("")
	defer run.End(t.Context(), nil)
	content := bytes.Repeat([]byte("x"), 64<<20)
	with := graph.New(graph.NewFile{Path: "/new", Content: content}, "with-new-file", base)
	sum := graph.New(graph.Exec{Args: []string{"/bin/sh", "-c", "wc -c < /new > /size"}}, "with-exec", with)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			res, err := run.Resolve(t.Context(), sum, nil)
			if err != nil {
				t.Error(err)
				return
			}
			if size := contentOf(t, run.Engine, res, "size"); string(size) != "67108864\n" {
				t.Errorf("%q", size)
			}
		})
	}
	wg.Wait()
}
