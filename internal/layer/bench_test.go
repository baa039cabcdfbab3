package layer_test

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"testing"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/compress"
	"github.com/inlaybuild/inlay/internal/layer"
)

// testRoot gives the tar of a real root file system, or of a made one.
func testRoot(b *testing.B) []byte {
	dir := os.Getenv("INLAY_TEST_DEBIAN")
	if dir == "" {
		return many(20_000, 4096)
	}
	t, err := exec.CommandContext(b.Context(), "tar", "--numeric-owner", "--format=posix", "-C", dir, "-cf", "-", ".").Output()
	if err != nil {
		b.Fatal(err)
	}
	return t
}

func packed(b *testing.B, t []byte) []byte {
	var z bytes.Buffer
	w, err := compress.NewWriter(&z, compress.Gzip)
	if err != nil {
		b.Fatal(err)
	}
	w.Write(t)
	w.Close()
	return z.Bytes()
}

func unpacked(b *testing.B, z []byte) io.Reader {
	r, err := compress.NewReader(bytes.NewReader(z), compress.Limits{})
	if err != nil {
		b.Fatal(err)
	}
	return r
}

// The yardstick: decompressing a layer and computing its digest alone.
func BenchmarkDecompressAndDigest(b *testing.B) {
	t := testRoot(b)
	z := packed(b, t)
	b.SetBytes(int64(len(t)))
	for b.Loop() {
		h := digest.NewHasher()
		if _, err := io.Copy(h, unpacked(b, z)); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkRead(b *testing.B, open func() io.Reader, n int, blobs layer.Blobs) {
	b.SetBytes(int64(n))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := layer.Read(b.Context(), open(), layer.ReadOptions{Blobs: blobs}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReadTar(b *testing.B) {
	t := testRoot(b)
	benchmarkRead(b, func() io.Reader { return bytes.NewReader(t) }, len(t), nil)
}

// Decompressing, its digest, and reading, as an import does.
func BenchmarkReadGzip(b *testing.B) {
	t := testRoot(b)
	z := packed(b, t)
	benchmarkRead(b, func() io.Reader { return io.TeeReader(unpacked(b, z), digest.NewHasher()) }, len(t), nil)
}

func BenchmarkWrite(b *testing.B) {
	t := testRoot(b)
	m := newMemory()
	cs, _, err := layer.Read(b.Context(), bytes.NewReader(t), layer.ReadOptions{Blobs: m})
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(t)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := layer.Write(b.Context(), io.Discard, cs, layer.WriteOptions{Open: m.Open}); err != nil {
			b.Fatal(err)
		}
	}
}
