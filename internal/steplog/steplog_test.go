package steplog_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/internal/steplog"
)

// memory is a file.
type memory struct {
	mu sync.Mutex
	b  []byte
}

func (m *memory) WriteAt(b []byte, at int64) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if need := int(at) + len(b); need > len(m.b) {
		m.b = append(m.b, make([]byte, need-len(m.b))...)
	}
	return copy(m.b[at:], b), nil
}

func (m *memory) ReadAt(b []byte, at int64) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if at >= int64(len(m.b)) {
		return 0, io.EOF
	}
	n := copy(b, m.b[at:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// clock goes on by a millisecond each time.
func clock() func() time.Time {
	t := time.Unix(1_700_000_000, 0)
	return func() time.Time { t = t.Add(time.Millisecond); return t }
}

func writer(t testing.TB, f io.WriterAt, limit int64) *steplog.Writer {
	t.Helper()
	w, err := steplog.NewWriter(f, limit, clock())
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// all reads to the end: what each stream has, and what was left out.
func all(t testing.TB, r *steplog.Reader) (out [3][]byte, lost int64) {
	t.Helper()
	var last time.Time
	for {
		rec, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out, lost
		}
		if err != nil {
			t.Fatal(err)
		}
		if rec.Time.Before(last) {
			t.Errorf("%v after %v", rec.Time, last)
		}
		last = rec.Time
		if rec.Stream == steplog.Gap {
			lost += rec.Stdout + rec.Stderr
			out[steplog.Stdout] = append(out[steplog.Stdout], make([]byte, rec.Stdout)...)
			out[steplog.Stderr] = append(out[steplog.Stderr], make([]byte, rec.Stderr)...)
			continue
		}
		out[rec.Stream] = append(out[rec.Stream], rec.Data...)
	}
}

func TestGolden(t *testing.T) {
	m := &memory{}
	w := writer(t, m, 0)
	for _, s := range []struct {
		to   steplog.Stream
		text string
	}{{steplog.Stdout, "out\n"}, {steplog.Stderr, "\x00err"}, {steplog.Stdout, "no end"}} {
		if err := w.Write(s.to, []byte(s.text)); err != nil {
			t.Fatal(err)
		}
	}
	const want = "696e6c6179206c6f6720310a" + "00000400" + "80000000" + "80000000" + // header
		"0100000000000000" + "40423936fe9c9717" + "0000000000000000" + "0000000000000000" + // block
		"01" + "c0843d" + "04" + "6f75740a" +
		"02" + "c0843d" + "04" + "00657272" +
		"01" + "c0843d" + "06" + "6e6f20656e64"
	if got := hex.EncodeToString(m.b); got != want {
		t.Errorf("the log is\n%s, want\n%s", got, want)
	}
	out, lost := all(t, steplog.NewReader(m))
	if string(out[1]) != "out\nno end" || string(out[2]) != "\x00err" || lost != 0 {
		t.Errorf("%q, %d lost", out, lost)
	}
}

// Whatever is written in whatever pieces, each stream is what it was; and when
// there is a limit, the beginning and the end are, the gap has its size, and the
// file is no larger.
func TestStreamsAreReproduced(t *testing.T) {
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		limit := []int64{0, -1, 1, 10_000, 100_000}[r.IntN(5)]
		m := &memory{}
		w := writer(t, m, limit)
		var want [3][]byte
		follow := steplog.NewReader(m)
		var followed [3][]byte
		var missed int64
		for range r.IntN(200) {
			s := steplog.Stream(1 + r.IntN(2))
			b := make([]byte, r.IntN([]int{3, 500, 5000}[r.IntN(3)]))
			for i := range b {
				b[i] = byte(1 + r.IntN(255))
			}
			if err := w.Write(s, b); err != nil {
				t.Fatal(err)
			}
			want[s] = append(want[s], b...)
			if r.IntN(10) == 0 {
				more, lost := all(t, follow)
				followed[1], followed[2] = append(followed[1], more[1]...), append(followed[2], more[2]...)
				missed += lost
			}
		}
		got, lost := all(t, steplog.NewReader(m))
		more, late := all(t, follow)
		followed[1], followed[2] = append(followed[1], more[1]...), append(followed[2], more[2]...)
		compare(t, seed, got, want, lost)
		compare(t, seed, followed, want, missed+late)
		total := int64(len(want[1]) + len(want[2]))
		if limit <= 0 && lost > 0 || limit > 0 && lost == 0 && total > 2*limit+8192 {
			t.Errorf("seed %d: %d of %d bytes lost at a limit of %d", seed, lost, total, limit)
		}
		if limit > 0 && int64(len(m.b)) > limit+4096 {
			t.Errorf("seed %d: the file has %d bytes at a limit of %d", seed, len(m.b), limit)
		}
		if a, b := w.Size(); a != int64(len(want[1])) || b != int64(len(want[2])) {
			t.Errorf("seed %d: sizes %d and %d", seed, a, b)
		}
	}
}

// compare wants equal streams but for zeros in one place, as many as were lost.
func compare(t *testing.T, seed uint64, got, want [3][]byte, lost int64) {
	t.Helper()
	var zeros int64
	for s := range got {
		if len(got[s]) != len(want[s]) {
			t.Fatalf("seed %d: stream %d has %d bytes, want %d", seed, s, len(got[s]), len(want[s]))
		}
		for i, c := range got[s] {
			switch {
			case c == 0:
				zeros++
			case c != want[s][i]:
				t.Fatalf("seed %d: stream %d differs at byte %d", seed, s, i)
			}
		}
	}
	if zeros != lost {
		t.Errorf("seed %d: %d bytes lost, and said to be %d", seed, zeros, lost)
	}
}

// Who reads while a ring is written over sees whole records of it.
func TestReadersBesideAWriter(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := steplog.NewWriter(f, 16<<10, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				r := steplog.NewReader(f)
				for i := 0; ; {
					rec, err := r.Next()
					if errors.Is(err, io.EOF) {
						break
					}
					if err != nil {
						t.Error(err)
						return
					}
					for _, c := range rec.Data {
						if c != rec.Data[0] {
							t.Errorf("a record of %q and %q", rec.Data[0], c)
							return
						}
					}
					if i++; i > 10000 {
						break
					}
				}
				select {
				case <-stop:
					return
				default:
				}
			}
		})
	}
	for i := range 20_000 {
		if err := w.Write(steplog.Stdout, bytes.Repeat([]byte{byte('a' + i%26)}, 1+i%300)); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	wg.Wait()
}

// However much of the last write is there, as after a kill or while it is being
// written, the records before it are read, and it is not.
func TestAPartOfARecordIsNotThereYet(t *testing.T) {
	m := &memory{}
	w := writer(t, m, 0)
	for range 3 {
		if err := w.Write(steplog.Stdout, bytes.Repeat([]byte("x"), 200)); err != nil {
			t.Fatal(err)
		}
	}
	const record = 1 + 3 + 2 + 200
	for cut := range record {
		part := &memory{b: m.b[:len(m.b)-record+cut]}
		r := steplog.NewReader(part)
		if out, _ := all(t, r); len(out[1]) != 400 {
			t.Fatalf("with %d bytes of the last record: %d", cut, len(out[1]))
		}
		part.b = m.b
		if out, _ := all(t, r); len(out[1]) != 200 {
			t.Fatalf("when it came behind %d bytes: %d", cut, len(out[1]))
		}
	}
}

func TestWhatIsNoLogIsRefused(t *testing.T) {
	for text, want := range map[string]error{
		"":                              io.EOF,
		"inlay log":                     io.EOF,
		"plain text":                    steplog.ErrFormat,
		"inlay log 2\n............":     steplog.ErrFormat,
		"inlay log 1\n............":     steplog.ErrDamaged,
		"inlay log 1\n\x00\x00\x04\x00": io.EOF,
	} {
		if _, err := steplog.NewReader(&memory{b: []byte(text)}).Next(); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	}
}

// failing is a file on a disk that is full.
type failing struct{ memory }

func (f *failing) WriteAt(b []byte, at int64) (int, error) {
	if at > 10_000 {
		return 0, io.ErrShortWrite
	}
	return f.memory.WriteAt(b, at)
}

func TestAFullDiskKeepsWhatIsThere(t *testing.T) {
	f := &failing{}
	w := writer(t, f, 0)
	var err error
	n := 0
	for ; err == nil; n++ {
		err = w.Write(steplog.Stderr, []byte("0123456789"))
	}
	if err := w.Write(steplog.Stdout, []byte("x")); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("after the error: %v", err)
	}
	out, _ := all(t, steplog.NewReader(f))
	if len(out[2]) != 10*(n-1) {
		t.Errorf("%d bytes of %d records", len(out[2]), n-1)
	}
}

func FuzzReader(f *testing.F) {
	for _, limit := range []int64{0, 1} {
		m := &memory{}
		w := writer(f, m, limit)
		for i := range 40 {
			if err := w.Write(steplog.Stream(1+i%2), bytes.Repeat([]byte("x"), 5*i)); err != nil {
				f.Fatal(err)
			}
		}
		f.Add(m.b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := steplog.NewReader(&memory{b: b})
		var n int
		for {
			rec, err := r.Next()
			if err != nil {
				break
			}
			if rec.Stream > steplog.Stderr || rec.Stdout < 0 || rec.Stderr < 0 || rec.Stream != steplog.Gap && len(rec.Data) == 0 {
				t.Fatalf("%+v", rec)
			}
			if n += len(rec.Data); n > len(b) {
				t.Fatal("more than was there")
			}
		}
	})
}

func BenchmarkWrite(b *testing.B) {
	for name, size := range map[string]int{"line": 40, "chunk": 32 << 10} {
		b.Run(name, func(b *testing.B) {
			f, err := os.Create(filepath.Join(b.TempDir(), "log"))
			if err != nil {
				b.Fatal(err)
			}
			defer f.Close()
			w, err := steplog.NewWriter(f, 0, time.Now)
			if err != nil {
				b.Fatal(err)
			}
			data := bytes.Repeat([]byte("x"), size)
			b.SetBytes(int64(size))
			for b.Loop() {
				if err := w.Write(steplog.Stdout, data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
