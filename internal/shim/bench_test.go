//go:build linux

package shim_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/shim"
	"github.com/inlaybuild/inlay/tree"
)

// small makes 100,000 files of about 2 KiB in 1,000 directories.
func small(b *testing.B) string {
	dir := b.TempDir()
	for d := range 1000 {
		sub := filepath.Join(dir, fmt.Sprint("dir", d))
		must(b, os.Mkdir(sub, 0o755))
		for f := range 100 {
			body := bytes.Repeat(fmt.Appendf(nil, "%d %d\n", d, f), 250)
			must(b, os.WriteFile(filepath.Join(sub, fmt.Sprint("file", f)), body, 0o644))
		}
	}
	return dir
}

// BenchmarkSurvey is the program from its start to its end.
func BenchmarkSurvey(b *testing.B) {
	b.Run("100000", func(b *testing.B) { survey(b, small(b)) })
	b.Run("debian", func(b *testing.B) {
		dir := os.Getenv("INLAY_TEST_DEBIAN")
		if dir == "" {
			b.Skip("needs $INLAY_TEST_DEBIAN")
		}
		survey(b, dir)
	})
}

func survey(b *testing.B, dir string) {
	out := filepath.Join(b.TempDir(), "out")
	for b.Loop() {
		b.StopTimer()
		must(b, os.RemoveAll(out))
		must(b, os.Mkdir(out, 0o755))
		b.StartTimer()
		must(b, runShim("survey", dir, out))
	}
	p, err := shim.OpenPack(b.Context(), &onDisk{dir: out})
	must(b, err)
	b.ReportMetric(float64(p.Len()), "nodes")
	b.ReportMetric(float64(p.Size()), "node-bytes")
}

// BenchmarkPack reads all of a survey of 100,000 files.
func BenchmarkPack(b *testing.B) {
	dir, out := small(b), b.TempDir()
	must(b, runShim("survey", dir, out))
	for b.Loop() {
		p, err := shim.OpenPack(b.Context(), &onDisk{dir: out})
		must(b, err)
		must(b, p.Load(b.Context()))
		t, err := p.Tree(b.Context())
		must(b, err)
		for _, err := range tree.Walk(b.Context(), t, tree.WalkOptions{}) {
			must(b, err)
		}
	}
}

// BenchmarkExec is /bin/true, with all that is in the way.
func BenchmarkExec(b *testing.B) {
	dir := b.TempDir()
	out := filepath.Join(dir, "out")
	spec, err := shim.Spec{Args: []string{"/bin/true"}}.Encode()
	must(b, err)
	must(b, os.WriteFile(filepath.Join(dir, "spec"), spec, 0o644))
	for b.Loop() {
		must(b, os.RemoveAll(out))
		must(b, os.Mkdir(out, 0o755))
		must(b, runShim("exec", filepath.Join(dir, "spec"), out))
	}
}

// BenchmarkApply puts 10,000 files of 2 KiB from a source.
func BenchmarkApply(b *testing.B) {
	dir := b.TempDir()
	source, root := filepath.Join(dir, "source"), filepath.Join(dir, "root")
	must(b, os.Mkdir(source, 0o755))
	list := shim.Changes{}
	for i := range 10_000 {
		name := fmt.Sprint("/file", i)
		must(b, os.WriteFile(source+name, bytes.Repeat([]byte{byte(i)}, 2000), 0o644))
		list = append(list, shim.Put{Path: name, Entry: tree.File{Size: 2000, Content: digest.Of([]byte(name)), Attributes: tree.Attr{Mode: 0o644}}, From: shim.At{Path: name}})
	}
	must(b, writeList(filepath.Join(dir, "list"), append(list, shim.SetAttr{Path: "/", Attr: plain})))
	for b.Loop() {
		b.StopTimer()
		must(b, os.RemoveAll(root))
		must(b, os.Mkdir(root, 0o755))
		b.StartTimer()
		must(b, shim.Apply(context.Background(), filepath.Join(dir, "list"), root, []string{source}))
	}
}
