package capture_test

import (
	"context"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"testing"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/capture"
	"github.com/inlaybuild/inlay/tree"
)

// manyFiles makes 100,000 files of 1 to 4 KiB in 1,000 directories.
func manyFiles(b *testing.B) string {
	dir := b.TempDir()
	r := rand.New(rand.NewSource(1))
	body := make([]byte, 4096)
	for i := range 1000 {
		sub := filepath.Join(dir, fmt.Sprint("d", i/100), fmt.Sprint("e", i))
		if err := os.MkdirAll(sub, 0o755); err != nil {
			b.Fatal(err)
		}
		for j := range 100 {
			r.Read(body[:16])
			if err := os.WriteFile(filepath.Join(sub, fmt.Sprint("f", j)), body[:1024+r.Intn(3072)], 0o644); err != nil {
				b.Fatal(err)
			}
		}
	}
	return dir
}

func BenchmarkDirectoryOf100000Files(b *testing.B) {
	dir := manyFiles(b)
	age(b, dir)
	for _, cached := range []bool{false, true} {
		name, o := "read", capture.Options{}
		if cached {
			name, o.CacheDir = "unchanged", b.TempDir()
		}
		b.Run(name, func(b *testing.B) {
			if _, _, err := capture.Directory(b.Context(), dir, hasher{}, o); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				tr, _, err := capture.Directory(b.Context(), dir, hasher{}, o)
				if err != nil {
					b.Fatal(err)
				}
				tr.Digest()
			}
		})
	}
}

// mover is a store's directory.
type mover struct{ dir string }

func (m mover) Adopt(_ context.Context, path string, d digest.Digest, _ int64) error {
	return os.Rename(path, filepath.Join(m.dir, d.Hex()))
}

func BenchmarkUpperOfTenFiles(b *testing.B) {
	lower := manyFiles(b)
	base, _, err := capture.Directory(b.Context(), lower, hasher{}, capture.Options{})
	if err != nil {
		b.Fatal(err)
	}
	top, sink := b.TempDir(), mover{b.TempDir()}
	n := 0
	for b.Loop() {
		b.StopTimer()
		n++
		upper := filepath.Join(top, fmt.Sprint(n))
		for i := range 10 {
			p := filepath.Join(upper, fmt.Sprint("d", i%3), fmt.Sprint("e", i%3*100), fmt.Sprint("new", i))
			os.MkdirAll(filepath.Dir(p), 0o755)
			os.WriteFile(p, fmt.Append(make([]byte, 4000), n, i), 0o644)
		}
		b.StartTimer()
		cs, _, err := capture.Upper(b.Context(), base, upper, sink, capture.UpperOptions{})
		if err != nil || cs.IsEmpty() {
			b.Fatal(err)
		}
	}
}

func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	os.WriteFile(filepath.Join(dir, "hello"), []byte("hello\n"), 0o644)
	os.WriteFile(filepath.Join(dir, "hello.o"), []byte("\x7fELF"), 0o644)

	ctx := context.Background()
	t, stats, err := capture.Directory(ctx, dir, newMemory(), capture.Options{Exclude: []string{"*.o"}})
	if err != nil {
		panic(err)
	}
	for c := range t.All(ctx) {
		fmt.Println(c.Name, c.Entry.(tree.File).Content)
	}
	fmt.Println(stats.Files, "file,", stats.Bytes, "bytes")
	// Output:
	// hello sha256:5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03
	// 1 file, 6 bytes
}
