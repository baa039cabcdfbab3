package layer_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/layer"
	"github.com/inlaybuild/inlay/tree"
)

// sparse gives a tar of one file that is a hole of size bytes, in the form of
// GNU tar's PAX format 1.0.
func sparse(t testing.TB, size int64, name string) []byte {
	t.Helper()
	var b bytes.Buffer
	record := func(k, v string) string {
		n := len(k) + len(v) + 3
		n += len(fmt.Sprint(n + len(fmt.Sprint(n))))
		return fmt.Sprintf("%d %s=%s\n", n, k, v)
	}
	body := record("GNU.sparse.major", "1") + record("GNU.sparse.minor", "0") +
		record("GNU.sparse.name", name) + record("GNU.sparse.realsize", fmt.Sprint(size))
	header := func(name string, kind byte, size int) {
		h := make([]byte, 512)
		copy(h, name)
		copy(h[100:], "0000644\x000000000\x000000000\x0000000000000\x0000000000000\x00")
		h[156] = kind
		copy(h[257:], "ustar\x0000")
		setSize(h, int64(size))
		b.Write(h)
	}
	pad := func(s string) {
		b.WriteString(s + strings.Repeat("\x00", (512-len(s)%512)%512))
	}
	header("PaxHeaders/bomb", 'x', len(body))
	pad(body)
	header("GNUSparseFile.0/bomb", '0', 512)
	pad(fmt.Sprintf("1\n%d\n0\n", size))
	b.Write(make([]byte, 1024))
	return b.Bytes()
}

func TestBombsStopAtLimits(t *testing.T) {
	for law, c := range map[string]struct {
		in     []byte
		limits layer.Limits
		what   string
	}{
		"a hole of 1 TiB":          {sparse(t, 1<<40, "bomb"), layer.Limits{}, "bytes"},
		"a hole of 1 MiB":          {sparse(t, 1<<20, "bomb"), layer.Limits{MaxHoles: 1 << 19}, "hole-bytes"},
		"an ignored hole":          {sparse(t, 1<<20, ".wh..wh.aufs"), layer.Limits{MaxHoles: 1 << 19}, "hole-bytes"},
		"bytes of all files":       {pack(t, "a: 1234", "b: 5678"), layer.Limits{MaxBytes: 7}, "bytes"},
		"entries":                  {pack(t, "a", "b", "c"), layer.Limits{MaxEntries: 3}, "entries"},
		"entries that are implied": {pack(t, "a/b/c/d/e"), layer.Limits{MaxEntries: 4}, "entries"},
		"depth":                    {pack(t, strings.Repeat("d/", 1025)), layer.Limits{}, "depth"},
		"names and link targets":   {pack(t, "a", "b -> "+strings.Repeat("t", 100)), layer.Limits{MaxMetadata: 90}, "metadata-bytes"},
		"extended attributes":      {withXattr(t, strings.Repeat("x", 1000)), layer.Limits{MaxMetadata: 900}, "metadata-bytes"},
	} {
		t.Run(law, func(t *testing.T) {
			cs, _, err := layer.Read(t.Context(), bytes.NewReader(c.in), layer.ReadOptions{Limits: c.limits})
			var limit *layer.LimitError
			if !errors.As(err, &limit) || limit.What != c.what || !strings.Contains(err.Error(), "--max-"+c.what) {
				t.Fatalf("error %v is not of %s", err, c.what)
			}
			if !cs.IsEmpty() {
				t.Error("there is half a change set")
			}
		})
	}
	if _, _, err := layer.Read(t.Context(), bytes.NewReader(sparse(t, 1<<20, "bomb")), layer.ReadOptions{}); err != nil {
		t.Errorf("a small hole: %v", err)
	}
}

func withXattr(t testing.TB, value string) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&tar.Header{Name: "a", Typeflag: tar.TypeReg, PAXRecords: map[string]string{"SCHILY.xattr.user.x": value}}); err != nil {
		t.Fatal(err)
	}
	w.Close()
	return b.Bytes()
}

// many gives a tar of n small files in directories of 1,000.
func many(n, size int) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	body := make([]byte, size)
	for i := range n {
		copy(body, fmt.Sprint(i))
		w.WriteHeader(&tar.Header{Name: fmt.Sprintf("dir%d/file%d", i/1000, i), Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(size)})
		w.Write(body)
	}
	w.Close()
	return b.Bytes()
}

func TestManyEntriesAreRead(t *testing.T) {
	cs, stats, err := layer.Read(t.Context(), bytes.NewReader(many(100_000, 0)), layer.ReadOptions{})
	if err != nil || stats.Entries != 100_000 || cs.Root.Len() != 100 {
		t.Fatal(err, stats)
	}
}

// failing is a sink that fails after some bodies.
type failing struct {
	*memory
	left int
	err  error
}

func (f *failing) PutBytes(ctx context.Context, b []byte) (d digest.Digest, n int64, err error) {
	f.mu.Lock()
	f.left--
	left := f.left
	f.mu.Unlock()
	if left < 0 {
		return d, 0, f.err
	}
	return f.memory.PutBytes(ctx, b)
}

func TestErrorsOfOthersArePassedOn(t *testing.T) {
	full := errors.New("no space left")
	b := many(300, 10)
	_, _, err := layer.Read(t.Context(), bytes.NewReader(b), layer.ReadOptions{Blobs: &failing{newMemory(), 20, full}})
	if !errors.Is(err, full) || errors.Is(err, layer.ErrMalformed) {
		t.Errorf("a full store: %v", err)
	}
	_, _, err = layer.Read(t.Context(), io.MultiReader(bytes.NewReader(b[:9000]), broken{full}), layer.ReadOptions{})
	if !errors.Is(err, full) || errors.Is(err, layer.ErrMalformed) {
		t.Errorf("a broken stream: %v", err)
	}
	_, _, err = layer.Read(t.Context(), io.MultiReader(bytes.NewReader(pack(t, "a")), broken{full}), layer.ReadOptions{})
	if !errors.Is(err, full) {
		t.Errorf("a stream that breaks after its end: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err = layer.Read(ctx, bytes.NewReader(b), layer.ReadOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled call: %v", err)
	}
	m := newMemory()
	cs, _, err := layer.Read(t.Context(), bytes.NewReader(b), layer.ReadOptions{Blobs: m})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := layer.Write(ctx, io.Discard, cs, layer.WriteOptions{Open: m.Open}); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled write: %v", err)
	}
	if _, err := layer.Write(t.Context(), brokenWriter{full}, cs, layer.WriteOptions{Open: m.Open}); !errors.Is(err, full) {
		t.Errorf("a full disk: %v", err)
	}
	if _, err := layer.Write(t.Context(), io.Discard, cs, layer.WriteOptions{Open: newMemory().Open}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing blob: %v", err)
	}
	if _, err := layer.Write(t.Context(), io.Discard, cs, layer.WriteOptions{}); err == nil {
		t.Error("no blobs at all, no error")
	}
	for d := range m.blobs {
		m.blobs[d] = bytes.Repeat([]byte("z"), len(m.blobs[d]))
	}
	if _, err := layer.Write(t.Context(), io.Discard, cs, layer.WriteOptions{Open: m.Open}); !errors.Is(err, digest.ErrMismatch) {
		t.Errorf("damaged blobs: %v", err)
	}
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }

type brokenWriter struct{ err error }

func (b brokenWriter) Write([]byte) (int, error) { return 0, b.err }

// No goroutine is left behind, whatever the end is.
func TestNothingIsLeftRunning(t *testing.T) {
	before := runtime.NumGoroutine()
	b := many(300, 10)
	for n := 0; n < len(b); n += 10_007 {
		layer.Read(t.Context(), bytes.NewReader(b[:n]), layer.ReadOptions{Blobs: &failing{newMemory(), n % 50, io.ErrShortWrite}})
		layer.Read(t.Context(), bytes.NewReader(b), layer.ReadOptions{Limits: layer.Limits{MaxEntries: int64(n%300 + 1)}})
	}
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines before, %d after", before, runtime.NumGoroutine())
}

func TestUnwritableChangesAreRefusedByName(t *testing.T) {
	dir := func(name string, c tree.Change) tree.ChangeSet {
		d := &tree.DirChange{}
		d.Set(name, c)
		return tree.ChangeSet{Root: d}
	}
	put := func(a tree.Attr) tree.Change { return tree.Put{Entry: tree.Fifo{Attributes: a}} }
	for law, c := range map[string]tree.ChangeSet{
		"a name of whiteouts":        dir(".wh.x", put(tree.Attr{})),
		"the removal of such a name": dir(".wh.x", tree.Remove{}),
		"such a name in a tree":      dir("d", tree.Put{Entry: treeWith(t, ".wh.x", tree.Fifo{})}),
		"a directory of nothing":     dir("d", &tree.DirChange{}),
		"uid 2^32-1":                 dir("f", put(tree.Attr{UID: 1<<32 - 1})),
		"gid 2^32-1":                 dir("f", put(tree.Attr{GID: 1<<32 - 1})),
		"year 10000":                 dir("f", put(tree.Attr{ModTime: tree.Time{Sec: 253402300800}})),
		"year 0":                     dir("f", put(tree.Attr{ModTime: tree.Time{Sec: -62135596800}})),
		"an empty symlink":           dir("f", tree.Put{Entry: tree.Symlink{}}),
		"a device beyond Linux":      dir("f", tree.Put{Entry: tree.Device{Major: 1 << 12}}),
	} {
		_, err := layer.Write(t.Context(), io.Discard, c, layer.WriteOptions{})
		var e *layer.EntryError
		if !errors.Is(err, layer.ErrUnwritable) || !errors.As(err, &e) || e.Name == "" {
			t.Errorf("%s: %v", law, err)
		}
	}
}

func treeWith(t testing.TB, name string, e tree.Entry) tree.Tree {
	d := tree.NewDraft(tree.Empty())
	d.Put(name, e)
	tr, err := d.Tree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// A socket cannot be in a tar: it is left out, and what was there goes.
func TestSocketsAreLeftOut(t *testing.T) {
	tr := treeWith(t, "s", tree.Socket{})
	var b bytes.Buffer
	w, err := layer.Write(t.Context(), &b, whole(tr), layer.WriteOptions{})
	if err != nil || len(w.Sockets) != 1 || w.Sockets[0] != "/s" {
		t.Fatal(w, err)
	}
	cs, _, err := layer.Read(t.Context(), &b, layer.ReadOptions{})
	if err != nil || cs.Root.Get("s") != (tree.Remove{}) {
		t.Fatal(listing(cs), err)
	}
	if w, err = layer.WriteTree(t.Context(), &b, tr, layer.WriteOptions{}); err != nil || w.Entries != 1 || len(w.Sockets) != 1 {
		t.Fatal(w, err)
	}
}

// A name that means something in a layer means nothing in a plain tar.
func TestPlainTarsHaveNoWhiteouts(t *testing.T) {
	m := newMemory()
	tr, _, err := layer.ReadTree(t.Context(), bytes.NewReader(pack(t, "a/.wh.b: x", "a/.wh..wh..opq", "c = a/.wh.b")), layer.ReadOptions{Blobs: m})
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := layer.WriteTree(t.Context(), &b, tr, layer.WriteOptions{Open: m.Open}); err != nil {
		t.Fatal(err)
	}
	again, _, err := layer.ReadTree(t.Context(), &b, layer.ReadOptions{Blobs: m})
	if err != nil || again.Digest() != tr.Digest() || tr.Count() != 4 {
		t.Fatal(err, tr.Count())
	}
	if _, _, err := layer.ReadTree(t.Context(), bytes.NewReader(pack(t, "a = b")), layer.ReadOptions{}); !errors.Is(err, layer.ErrMalformed) {
		t.Errorf("a hardlink to nothing: %v", err)
	}
}
