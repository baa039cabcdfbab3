package embedded_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/graph"
)

// BenchmarkCache writes a Debian root with a process on top to a registry on
// loopback, and reads it from there.
func BenchmarkCache(b *testing.B) {
	needsProcesses(b)
	root := os.Getenv("INLAY_TEST_DEBIAN")
	if root == "" {
		b.Skip("needs INLAY_TEST_DEBIAN, the directory of a Debian root (scripts/debian-root prints it)")
	}
	layers := filepath.Join(b.TempDir(), "image")
	first := open(b, embedded.Options{})
	importAs(b, first, "dir:"+root, "debian", embedded.ImportOptions{})
	export(b, first, resolve(b, first, from("debian")), "oci:"+layers, exportDefault)
	s := startCacheServer(b)
	to, trusted := s.cache("team/cache:main"), s.cache("team/cache:main", "trust=true")
	made := graph.New(graph.Exec{Args: []string{"/bin/sh", "-c", "echo made > /made"}}, "WithExec(made)", from("oci:"+layers))
	next := graph.New(graph.Exec{Args: []string{"/bin/true"}}, "WithExec(next)", made)

	e := open(b, embedded.Options{CacheTo: []engine.Cache{to}})
	resolve(b, e, made)
	write := func(b *testing.B, e *embedded.Engine) {
		out, err := e.ExportCache(context.Background(), nil)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(out[0].Sent)/1e6, "MB-sent")
	}
	b.Run("first", func(b *testing.B) {
		for i := range b.N {
			b.StopTimer()
			other := startCacheServer(b)
			x := open(b, embedded.Options{Store: e.Store().Dir(), CacheTo: []engine.Cache{other.cache("team/cache:main")}})
			resolve(b, x, made)
			b.StartTimer()
			write(b, x)
			_ = i
		}
	})
	write(b, e)
	b.Run("again", func(b *testing.B) {
		for range b.N {
			write(b, e)
		}
	})
	fresh := func(b *testing.B) *embedded.Engine {
		s.since()
		return open(b, embedded.Options{CacheFrom: []engine.Cache{trusted}})
	}
	b.Run("hit", func(b *testing.B) {
		for range b.N {
			b.StopTimer()
			f := fresh(b)
			b.StartTimer()
			resolve(b, f, made)
		}
		b.ReportMetric(float64(s.since())/1e3, "kB-read")
	})
	b.Run("process", func(b *testing.B) {
		for range b.N {
			b.StopTimer()
			f := fresh(b)
			b.StartTimer()
			resolve(b, f, next)
		}
		b.ReportMetric(float64(s.since())/1e6, "MB-read")
	})
	b.Run("without", func(b *testing.B) { // what a process costs without a cache
		for range b.N {
			b.StopTimer()
			f := open(b, embedded.Options{})
			b.StartTimer()
			resolve(b, f, next)
		}
	})
}
