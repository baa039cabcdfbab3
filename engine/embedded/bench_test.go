package embedded_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/engine/enginetest"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/compress"
)

// base gives the node of a base to measure on: the Debian root that
// $INLAY_TEST_DEBIAN names, or else busybox.
func base(b *testing.B) *graph.Node {
	if dir := os.Getenv("INLAY_TEST_DEBIAN"); dir != "" {
		return from("dir:" + dir)
	}
	return enginetest.Busybox(b)
}

// BenchmarkExecTrue is one process in a changed tree, captured and kept. It is
// to be compared with BenchmarkRuncAlone of internal/runtime.
func BenchmarkExecTrue(b *testing.B) {
	needsProcesses(b)
	e := open(b, embedded.Options{})
	root, err := e.Resolve(b.Context(), base(b), nil)
	if err != nil {
		b.Fatal(err)
	}
	name := named(b, e, root)
	args := []string{"/bin/true"}
	if os.Getenv("INLAY_TEST_DEBIAN") == "" {
		args = []string{"/bin/busybox", "true"}
	}
	n := 0
	for b.Loop() {
		n++
		changed := graph.New(graph.NewFile{Path: "/bin/tool", Content: []byte(strconv.Itoa(n))}, "new", from(name))
		if _, err := e.Resolve(b.Context(), graph.New(graph.Exec{Args: args}, "exec", changed), nil); err != nil {
			b.Fatal(err)
		}
	}
}

// named keeps a result as a plain tree in the store, and gives how From finds it.
func named(b *testing.B, e *embedded.Engine, r engine.Result) string {
	b.Helper()
	to := "tar:" + filepath.Join(b.TempDir(), "base.tar")
	export(b, e, r, to, engine.ExportOptions{})
	importAs(b, e, to, "base", embedded.ImportOptions{})
	return "base"
}

// BenchmarkCachedPipeline is a pipeline of ten steps of which every result is
// known: the store opened, the pipeline resolved, the store closed.
func BenchmarkCachedPipeline(b *testing.B) {
	needsProcesses(b)
	for _, record := range []bool{false, true} {
		b.Run(fmt.Sprintf("record=%t", record), func(b *testing.B) {
			dir := filepath.Join(b.TempDir(), "store")
			e := open(b, embedded.Options{Store: dir})
			root, err := e.Resolve(b.Context(), base(b), nil)
			if err != nil {
				b.Fatal(err)
			}
			n := from(named(b, e, root))
			for i := range 7 {
				n = graph.New(graph.NewFile{Path: "/bin/tool" + strconv.Itoa(i), Content: []byte(strconv.Itoa(i))}, "new", n)
			}
			args := []string{"/bin/true"}
			if os.Getenv("INLAY_TEST_DEBIAN") == "" {
				args = []string{"/bin/busybox", "true"}
			}
			n = graph.New(graph.Exec{Args: args}, "exec", n)
			n = graph.New(graph.NewFile{Path: "/last"}, "new", n)
			once := func() {
				e, err := embedded.Open(b.Context(), embedded.Options{Store: dir, Record: record})
				if err != nil {
					b.Fatal(err)
				}
				r, err := e.Resolve(b.Context(), n, nil)
				if err != nil {
					b.Fatal(err)
				}
				r.Tree.Digest()
				if err := e.Close(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
			once()
			for b.Loop() {
				once()
			}
		})
	}
}

// BenchmarkThousandNewFiles is a chain of 1,000 new files on a base.
func BenchmarkThousandNewFiles(b *testing.B) {
	e := open(b, embedded.Options{})
	root, err := e.Resolve(b.Context(), base(b), nil)
	if err != nil {
		b.Fatal(err)
	}
	name := named(b, e, root)
	for _, again := range []bool{false, true} {
		b.Run(fmt.Sprintf("again=%t", again), func(b *testing.B) {
			round := 0
			for b.Loop() {
				if !again {
					round++
				}
				n := from(name)
				for i := range 1000 {
					n = graph.New(graph.NewFile{Path: fmt.Sprintf("/bin/tool%d", i), Content: fmt.Append(nil, i, round)}, "new", n)
				}
				r, err := e.Resolve(b.Context(), n, nil)
				if err != nil {
					b.Fatal(err)
				}
				r.Tree.Digest()
			}
		})
	}
}

// BenchmarkImportLayout imports an image from an OCI layout into an empty store;
// alone is decompressing and digesting its layers, all at once.
func BenchmarkImportLayout(b *testing.B) {
	e := open(b, embedded.Options{})
	root, err := e.Resolve(b.Context(), base(b), nil)
	if err != nil {
		b.Fatal(err)
	}
	dir := filepath.Join(b.TempDir(), "layout")
	x := export(b, e, root, "oci:"+dir+":v1", engine.ExportOptions{})
	b.Run("alone", func(b *testing.B) {
		for b.Loop() {
			f, err := os.Open(filepath.Join(dir, "blobs/sha256", x.NewLayer.Digest.Hex()))
			if err != nil {
				b.Fatal(err)
			}
			z, err := compress.NewReader(f, compress.Limits{})
			if err != nil {
				b.Fatal(err)
			}
			if _, err := io.Copy(sha256.New(), z); err != nil {
				b.Fatal(err)
			}
			f.Close()
		}
	})
	b.Run("import", func(b *testing.B) {
		n := 0
		for b.Loop() {
			n++
			e, err := embedded.Open(b.Context(), embedded.Options{Store: filepath.Join(b.TempDir(), strconv.Itoa(n))})
			if err != nil {
				b.Fatal(err)
			}
			importAs(b, e, "oci:"+dir, "base", embedded.ImportOptions{})
			if err := e.Close(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// TestMemoryOfALargeImport imports a layer of a gigabyte in another process, and
// looks at its peak.
func TestMemoryOfALargeImport(t *testing.T) {
	if os.Getenv("INLAY_LONG") == "" {
		t.Skip("takes a gigabyte of disk and half a minute: set INLAY_LONG=1")
	}
	source := "oci:" + largeLayout(t, filepath.Join(t.TempDir(), "layout"), 1<<30)
	cmd, out := other(t, "import", filepath.Join(t.TempDir(), "store"), source)
	if err := cmd.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	peak := cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss / 1024
	t.Logf("peak %d MiB", peak)
	if peak > 200 {
		t.Errorf("peak of %d MiB, want at most 200", peak)
	}
}

// largeLayout makes an image of files that hardly compress, by an engine.
func largeLayout(t testing.TB, dir string, size int64) string {
	t.Helper()
	host := filepath.Join(t.TempDir(), "large")
	if err := os.MkdirAll(host, 0o755); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	for i := range 4 {
		wg.Go(func() {
			f, err := os.Create(filepath.Join(host, strconv.Itoa(i)))
			if err == nil {
				_, err = io.CopyN(f, rand.NewChaCha8([32]byte{byte(i)}), size/8)
				_, err2 := io.CopyN(f, strings.NewReader(strings.Repeat("a", 1<<20)), 1<<20)
				err = errors.Join(err, err2, f.Truncate(size/4), f.Close())
			}
			mu.Lock()
			defer mu.Unlock()
			errs = append(errs, err)
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	e, err := embedded.Open(context.Background(), embedded.Options{Store: filepath.Join(t.TempDir(), "source")})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close(context.Background())
	export(t, e, resolve(t, e, from("dir:"+host)), "oci:"+dir+":v1", engine.ExportOptions{})
	return dir
}
