package compress_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/compress"
)

func ExampleNewReader() {
	var b bytes.Buffer
	w, _ := compress.NewWriter(&b, compress.Zstd)
	io.WriteString(w, "hello")
	w.Close()
	r, err := compress.NewReader(&b, compress.Limits{})
	if err != nil {
		panic(err)
	}
	defer r.Close()
	text, _ := io.ReadAll(r)
	fmt.Println(r.Kind(), string(text))
	// Output: zstd hello
}

var kinds = []compress.Kind{compress.None, compress.Gzip, compress.Zstd}

// sample is text that compresses, of n bytes, the same on every call.
func sample(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, 0, n+64)
	for len(b) < n {
		b = fmt.Appendf(b, "line %d of %x\n", r.IntN(1000), r.Uint64())
		if r.IntN(50) == 0 {
			b = append(b, bytes.Repeat([]byte{0}, r.IntN(5000))...)
		}
	}
	return b[:n]
}

func squeeze(t testing.TB, kind compress.Kind, in []byte, cut func() int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := compress.NewWriter(&b, kind)
	if err != nil {
		t.Fatal(err)
	}
	for len(in) > 0 {
		n := min(cut(), len(in))
		if _, err := w.Write(in[:n]); err != nil {
			t.Fatal(err)
		}
		in = in[n:]
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestOutputDependsOnTheBytesAlone(t *testing.T) {
	for _, size := range []int{0, 1, 1 << 16, 1<<20 + 1, 2<<20 + 17} {
		in := sample(size)
		for _, kind := range kinds {
			want := squeeze(t, kind, in, func() int { return 1 << 30 })
			for seed := range uint64(2) {
				r := rand.New(rand.NewPCG(seed, 3))
				old := runtime.GOMAXPROCS(1 + r.IntN(4))
				got := squeeze(t, kind, in, func() int { return 1 + r.IntN(1<<uint(8+r.IntN(14))) })
				runtime.GOMAXPROCS(old)
				if !bytes.Equal(got, want) {
					t.Errorf("%s of %d bytes: other bytes when cut otherwise", kind, size)
				}
			}
			r, err := compress.NewReader(bytes.NewReader(want), compress.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			back, err := io.ReadAll(r)
			if err != nil || !bytes.Equal(back, in) {
				t.Errorf("%s of %d bytes: %d came back: %v", kind, size, len(back), err)
			}
		}
	}
}

// A change here changes the digests of all layers that are written from now on:
// say so where the change is announced.
func TestGoldenBytes(t *testing.T) {
	in := sample(3 << 20)
	for kind, want := range map[compress.Kind]string{
		compress.Gzip: "dcece44c10ae9e51f4fa2702fd81d9f48414d0ca56727906be09af4cc55db557",
		compress.Zstd: "f647afa109f61d42b252aa736180d0303f1bc419411d8d2bfd307ad7fed2df38",
	} {
		if got := digest.Of(squeeze(t, kind, in, func() int { return 1 << 30 })).Hex(); got != want {
			t.Errorf("%s: %s, was %s", kind, got, want)
		}
	}
}

func TestGzipHeaderTellsNothingOfTheMachine(t *testing.T) {
	got := squeeze(t, compress.Gzip, []byte("x"), func() int { return 1 })[:10]
	if want := []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}; !bytes.Equal(got, want) {
		t.Fatalf("header % x, want % x", got, want)
	}
}

func TestOtherToolsReadWhatIsWritten(t *testing.T) {
	in := sample(2<<20 + 5)
	for kind, tool := range map[compress.Kind]string{compress.Gzip: "gzip", compress.Zstd: "zstd"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Logf("no %s in PATH", tool)
			continue
		}
		cmd := exec.Command(tool, "-dc")
		cmd.Stdin = bytes.NewReader(squeeze(t, kind, in, func() int { return 1 << 30 }))
		if out, err := cmd.Output(); err != nil || !bytes.Equal(out, in) {
			t.Errorf("%s: %v", tool, err)
		}
		cmd = exec.Command(tool, "-c")
		cmd.Stdin = bytes.NewReader(in)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		r, err := compress.NewReader(bytes.NewReader(append(out, out...)), compress.Limits{})
		if err != nil {
			t.Fatal(err)
		}
		if back, err := io.ReadAll(r); err != nil || !bytes.Equal(back, append(bytes.Clone(in), in...)) {
			t.Errorf("two streams of %s: %v", tool, err)
		}
	}
}

func TestTruncatedStreamIsAnErrorAtEveryOffset(t *testing.T) {
	in := sample(500)
	for _, kind := range kinds[1:] {
		whole := squeeze(t, kind, in, func() int { return 1 << 30 })
		for n := 4; n < len(whole); n++ {
			r, err := compress.NewReader(bytes.NewReader(whole[:n]), compress.Limits{})
			if err == nil {
				_, err = io.ReadAll(r)
			}
			if err == nil {
				t.Errorf("%s cut after %d of %d bytes: no error", kind, n, len(whole))
			}
		}
	}
}

func TestBombsEndAtTheLimit(t *testing.T) {
	zeros := make([]byte, 1<<20)
	for _, kind := range kinds {
		// One stream after the other, which is as good as a single one.
		bomb := bytes.Repeat(squeeze(t, kind, zeros, func() int { return len(zeros) }), 270)
		for _, c := range []struct {
			limits compress.Limits
			bomb   bool
		}{
			{compress.Limits{MaxBytes: 1 << 20}, true},
			{compress.Limits{}, kind == compress.Zstd},
			{compress.Limits{MaxRatio: 100}, kind != compress.None},
			{compress.Limits{MaxBytes: -1, MaxRatio: -1}, false},
		} {
			r, err := compress.NewReader(bytes.NewReader(bomb), c.limits)
			if err != nil {
				t.Fatal(err)
			}
			n, err := io.Copy(io.Discard, r)
			if errors.Is(err, compress.ErrBomb) != c.bomb || (err == nil) == c.bomb {
				t.Errorf("%s %+v: %v after %d", kind, c.limits, err, n)
			}
			if c.limits.MaxBytes > 0 && n > c.limits.MaxBytes {
				t.Errorf("%s: %d bytes came out of at most %d", kind, n, c.limits.MaxBytes)
			}
			r.Close()
		}
	}
}

func FuzzReader(f *testing.F) {
	for _, kind := range kinds {
		f.Add(squeeze(f, kind, []byte(strings.Repeat("inlay", 50)), func() int { return 7 }))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := compress.NewReader(bytes.NewReader(b), compress.Limits{MaxBytes: 1 << 20})
		if err != nil {
			return
		}
		defer r.Close()
		if n, _ := io.Copy(io.Discard, r); n > 1<<20 {
			t.Fatalf("%d bytes came out", n)
		}
	})
}

func BenchmarkReader(b *testing.B) {
	in := sample(32 << 20)
	for _, kind := range kinds[1:] {
		z := squeeze(b, kind, in, func() int { return 1 << 30 })
		b.Run(kind.String(), func(b *testing.B) {
			b.SetBytes(int64(len(in)))
			for b.Loop() {
				r, err := compress.NewReader(bytes.NewReader(z), compress.Limits{})
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, r); err != nil {
					b.Fatal(err)
				}
				r.Close()
			}
		})
	}
}
