package cache

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/image/layout"
)

// counted is a layout that tells what is read of it.
type counted struct {
	*layout.Layout
	mu   sync.Mutex
	read map[string]int64 // bytes, by media type
}

func newCounted(t testing.TB, dir string) *counted {
	t.Helper()
	l, err := layout.Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return &counted{Layout: l, read: map[string]int64{}}
}

func (c *counted) count(d image.Descriptor, rc io.ReadCloser) io.ReadCloser {
	return image.Count(rc, func(n int64) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.read[d.MediaType] += n
	})
}

func (c *counted) Open(ctx context.Context, d image.Descriptor) (io.ReadCloser, error) {
	rc, err := c.Layout.Open(ctx, d)
	if err != nil {
		return nil, err
	}
	return c.count(d, rc), nil
}

func (c *counted) OpenRange(ctx context.Context, d image.Descriptor, off, n int64) (io.ReadCloser, error) {
	rc, err := c.Layout.OpenRange(ctx, d, off, n)
	if err != nil {
		return nil, err
	}
	return c.count(d, rc), nil
}

// stuff is objects in memory.
type stuff struct {
	order  []Object
	bodies map[Object][]byte
}

// add adds an object of size bytes that do not compress, the same for the same seed.
func (s *stuff) add(k Kind, seed uint64, size int) Object {
	b := make([]byte, size)
	rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16), byte(size), byte(size >> 8), byte(k)}).Read(b)
	o := Object{k, digest.Of(b), int64(size)}
	if s.bodies == nil {
		s.bodies = map[Object][]byte{}
	}
	s.order = append(s.order, o)
	s.bodies[o] = b
	return o
}

// many adds n nodes and n bodies.
func (s *stuff) many(from uint64, n int) *stuff {
	r := rand.New(rand.NewPCG(from, 1))
	for i := range uint64(n) {
		s.add(Node, from+i, 200+r.IntN(3000))
		s.add(Body, from+i, 1+r.IntN(60_000))
	}
	return s
}

func (s *stuff) content(rs ...Result) Content {
	return Content{
		Results: func(func(Kind, digest.Digest) bool) ([]Result, error) { return rs, nil },
		Objects: func(has func(Kind, digest.Digest) bool) iter.Seq2[Object, error] {
			return func(yield func(Object, error) bool) {
				for _, o := range s.order {
					if !has(o.Kind, o.Digest) && !yield(o, nil) {
						return
					}
				}
			}
		},
		Open: func(_ context.Context, o Object) (io.ReadCloser, error) {
			return io.NopCloser(bytes.NewReader(s.bodies[o])), nil
		},
	}
}

func result(i int) Result {
	return Result{Key: digest.Of(fmt.Append(nil, "key ", i)), Tree: digest.Of(fmt.Append(nil, "tree ", i)), Data: json.RawMessage(fmt.Sprintf(`{"n":%d}`, i))}
}

func write(t testing.TB, dst Place, name string, c Content, o Options) Written {
	t.Helper()
	o.TempDir = t.TempDir()
	w, err := Write(t.Context(), dst, name, c, o)
	if err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(o.TempDir); len(left) > 0 {
		t.Errorf("%d files stay", len(left))
	}
	return w
}

func open(t testing.TB, src Source, name string) *Cache {
	t.Helper()
	c, err := Open(t.Context(), src, name)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// all reads all that was put in, and tells what is wrong with it.
func (s *stuff) all(ctx context.Context, c *Cache) error {
	var bodies []digest.Digest
	for _, o := range s.order {
		if o.Kind == Body {
			bodies = append(bodies, o.Digest)
			continue
		}
		b, err := c.Node(ctx, o.Digest)
		if err != nil {
			return err
		}
		if !bytes.Equal(b, s.bodies[o]) {
			return fmt.Errorf("node %s has other bytes", o.Digest)
		}
	}
	var mu sync.Mutex
	got := map[Object]bool{}
	missing, err := c.Bodies(ctx, bodies, func(o Object, r io.Reader) error {
		b, err := io.ReadAll(r)
		if err != nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		got[o] = bytes.Equal(b, s.bodies[o])
		return nil
	})
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return fmt.Errorf("%d bodies are missing", len(missing))
	}
	for _, o := range s.order {
		if o.Kind == Body && !got[o] {
			return fmt.Errorf("body %s did not come, or has other bytes", o.Digest)
		}
	}
	return nil
}

func TestWhatWasWrittenComesBack(t *testing.T) {
	var s stuff
	s.many(1, 150)
	s.add(Body, 7, 3<<20)
	s.add(Node, 7, 2<<20)
	dir := t.TempDir()
	w := write(t, newCounted(t, dir), "x", s.content(result(1), result(2)), Options{})
	if w.Results != 2 || w.Objects != 302 || w.Packs < 3 {
		t.Errorf("%+v", w)
	}
	c := open(t, newCounted(t, dir), "x")
	if err := s.all(t.Context(), c); err != nil {
		t.Error(err)
	}
	for i := range 3 {
		r, ok := c.Result(result(i).Key)
		if ok != (i > 0) || ok && (r.Tree != result(i).Tree || string(r.Data) != string(result(i).Data)) {
			t.Errorf("result %d: %v %v", i, r, ok)
		}
	}
	if has, err := c.Has(t.Context(), Body, digest.Of([]byte("no"))); has || err != nil {
		t.Error(has, err)
	}
	if _, err := c.Node(t.Context(), digest.Of([]byte("no"))); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	missing, err := c.Bodies(t.Context(), []digest.Digest{digest.Of([]byte("no"))}, nil)
	if len(missing) != 1 || err != nil {
		t.Error(missing, err)
	}
}

func TestOpeningReadsResultsAndANodeReadsWhatIsNearIt(t *testing.T) {
	s := new(stuff).many(1, 400)
	l := newCounted(t, t.TempDir())
	write(t, l, "x", s.content(result(1)), Options{})
	clear(l.read)
	c := open(t, l, "x")
	if l.read[MediaTypeIndex] != 0 || l.read[MediaTypePack] != 0 || l.read[MediaTypeResults] == 0 {
		t.Errorf("opening reads %v", l.read)
	}
	clear(l.read)
	for range 3 {
		if _, err := c.Node(t.Context(), s.order[0].Digest); err != nil {
			t.Fatal(err)
		}
	}
	if n := l.read[MediaTypePack]; n == 0 || n > maxChunk {
		t.Errorf("a node reads %d bytes of packs", n)
	}
	clear(l.read)
	for _, o := range s.order {
		if o.Kind == Body {
			_, err := c.Bodies(t.Context(), []digest.Digest{o.Digest}, func(o Object, r io.Reader) error { return nil })
			if n := l.read[MediaTypePack]; err != nil || n == 0 || n > maxChunk {
				t.Errorf("a body of %d bytes reads %d of packs: %v", o.Size, n, err)
			}
			break
		}
	}
}

func TestWritingAgainSendsNothingAndMoreOnlyWhatIsNew(t *testing.T) {
	s := new(stuff).many(1, 200)
	l := newCounted(t, t.TempDir())
	first := write(t, l, "x", s.content(result(1)), Options{})
	again := write(t, l, "x", s.content(result(1)), Options{})
	if again.Sent != 0 || again.Cache.Digest != first.Cache.Digest || again.Objects != 0 {
		t.Errorf("%+v", again)
	}
	more := new(stuff).many(1, 200)
	o := more.add(Body, 9999, 50_000)
	third := write(t, l, "x", more.content(result(2)), Options{})
	if third.Objects != 1 || third.Results != 2 || third.Sent > 150_000 {
		t.Errorf("%+v", third)
	}
	c := open(t, l, "x")
	if err := more.all(t.Context(), c); err != nil {
		t.Error(err)
	}
	if has, _ := c.Has(t.Context(), Body, o.Digest); !has {
		t.Error("the new body is not there")
	}
	for i := 1; i <= 2; i++ {
		if _, ok := c.Result(result(i).Key); !ok {
			t.Errorf("result %d is gone", i)
		}
	}
}

// Where packs are cut follows from what is in them.
func TestAnotherNameSharesPacks(t *testing.T) {
	l := newCounted(t, t.TempDir())
	s := new(stuff).many(1, 800)
	first := write(t, l, "x", s.content(result(1)), Options{})
	same := write(t, l, "y", s.content(result(1)), Options{})
	if same.Sent != 0 {
		t.Errorf("the same under another name sends %d of %d bytes", same.Sent, first.Sent)
	}
	var other stuff
	other.add(Body, 77777, 1000)
	other.add(Node, 77777, 1000)
	other.many(1, 800)
	w := write(t, l, "z", other.content(result(1)), Options{})
	if w.Sent > first.Sent*2/3 {
		t.Errorf("with something more in front it sends %d of %d bytes", w.Sent, first.Sent)
	}
}

func TestMorePacksThanAManifestCanName(t *testing.T) {
	s := new(stuff).many(1, 600)
	l := newCounted(t, t.TempDir())
	w := write(t, l, "x", s.content(result(1)), Options{partPacks: 2})
	if !w.Cache.IsIndex() || w.Packs < 4 {
		t.Fatalf("%+v", w)
	}
	if err := s.all(t.Context(), open(t, l, "x")); err != nil {
		t.Error(err)
	}
	if g, err := image.Walk(t.Context(), l, w.Cache); err != nil || len(g.Blobs) < w.Packs+2 {
		t.Errorf("a registry would keep %d blobs of %d packs: %v", len(g.Blobs), w.Packs, err)
	}
	if again := write(t, l, "x", s.content(result(1)), Options{partPacks: 2}); again.Sent != 0 {
		t.Errorf("%+v", again)
	}
}

func TestACacheOfManyPacksBeginsAnew(t *testing.T) {
	l := newCounted(t, t.TempDir())
	write(t, l, "x", new(stuff).many(1, 300).content(result(1)), Options{})
	s := new(stuff).many(5000, 10)
	w := write(t, l, "x", s.content(result(2)), Options{mostPacks: 1})
	c := open(t, l, "x")
	if _, ok := c.Result(result(1).Key); ok || w.Results != 1 {
		t.Errorf("%+v", w)
	}
	if err := s.all(t.Context(), c); err != nil {
		t.Error(err)
	}
}

func TestSomethingElseIsNotOverwrittenNorRead(t *testing.T) {
	l := newCounted(t, t.TempDir())
	config := []byte(`{"architecture":"amd64","os":"linux"}`)
	m := image.Manifest{MediaType: image.MediaTypeManifest, Config: image.Describe(image.MediaTypeConfig, config)}
	body, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	d := image.Describe(image.MediaTypeManifest, body)
	for d, b := range map[*image.Descriptor][]byte{&m.Config: config, &d: body} {
		if err := l.Push(t.Context(), *d, func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Tag(t.Context(), d, "x"); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), l, "x"); !errors.Is(err, image.ErrMediaType) {
		t.Error(err)
	}
	_, err = Write(t.Context(), l, "x", new(stuff).content(), Options{})
	if err == nil || !strings.Contains(err.Error(), "take another name") {
		t.Error(err)
	}
}

// blobs gives the files of a layout's blobs, but for its manifests if that is said.
func blobs(t testing.TB, dir string) (files []string) {
	t.Helper()
	list, err := os.ReadDir(filepath.Join(dir, "blobs/sha256"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		files = append(files, filepath.Join(dir, "blobs/sha256", e.Name()))
	}
	return files
}

// Each blob of a cache is damaged in each way: what is read is right, or an error.
func TestADamagedCacheGivesErrorsAndNeverWrongBytes(t *testing.T) {
	s := new(stuff).many(1, 60)
	dir := t.TempDir()
	l := newCounted(t, dir)
	write(t, l, "x", s.content(result(1)), Options{})
	ways := map[string]func([]byte) []byte{
		"gone":      nil,
		"empty":     func([]byte) []byte { return []byte{} },
		"truncated": func(b []byte) []byte { return b[:len(b)-1] },
		"longer":    func(b []byte) []byte { return append(bytes.Clone(b), 'x') },
		"flipped":   func(b []byte) []byte { b = bytes.Clone(b); b[len(b)/2] ^= 1; return b },
		"other":     func(b []byte) []byte { return bytes.Repeat([]byte{'{'}, len(b)) },
	}
	files := blobs(t, dir)
	for _, f := range files {
		was, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for way, damage := range ways {
			if err := os.Remove(f); err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
			if damage != nil {
				if err := os.WriteFile(f, damage(was), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			c, err := Open(t.Context(), l, "x")
			if err == nil {
				err = s.all(t.Context(), c)
			}
			if err == nil {
				t.Errorf("%s: %s, and nobody noticed", filepath.Base(f), way)
			}
		}
		os.Remove(f)
		if err := os.WriteFile(f, was, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.all(t.Context(), open(t, l, "x")); err != nil {
		t.Error(err)
	}
}

// A cache whose packs were removed, or whose index is damaged, is written anew.
func TestADamagedCacheIsWrittenAnew(t *testing.T) {
	s := new(stuff).many(1, 60)
	dir := t.TempDir()
	l := newCounted(t, dir)
	write(t, l, "x", s.content(result(1)), Options{})
	c := open(t, l, "x")
	x, err := c.contents(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range []digest.Digest{x.packs[0].digest, c.index.Digest} {
		if err := os.Remove(filepath.Join(dir, "blobs/sha256", d.Hex())); err != nil {
			t.Fatal(err)
		}
		w := write(t, l, "x", s.content(result(2)), Options{})
		if w.Results != 1 {
			t.Errorf("%+v: what a damaged cache said is kept", w)
		}
		if err := s.all(t.Context(), open(t, l, "x")); err != nil {
			t.Error(err)
		}
	}
}

func TestWritersAtATimeBreakNothing(t *testing.T) {
	dir := t.TempDir()
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			l, err := layout.Create(dir)
			if err != nil {
				t.Error(err)
				return
			}
			defer l.Close()
			s := new(stuff).many(uint64(i)*1000, 20)
			if _, err := Write(t.Context(), l, "x", s.content(result(i)), Options{TempDir: t.TempDir()}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	c := open(t, newCounted(t, dir), "x")
	found := 0
	for i := range 4 {
		if _, ok := c.Result(result(i).Key); ok {
			found++
			if err := new(stuff).many(uint64(i)*1000, 20).all(t.Context(), c); err != nil {
				t.Error(err)
			}
		}
	}
	if found == 0 {
		t.Error("nobody's results are there")
	}
}

// between lets somebody else write before the first tag.
type between struct {
	*counted
	once sync.Once
	do   func()
}

func (b *between) Resolve(ctx context.Context, name string) (image.Descriptor, error) {
	d, err := b.counted.Resolve(ctx, name)
	b.once.Do(b.do)
	return d, err
}

func TestWhatAnotherOneWroteMeanwhileStays(t *testing.T) {
	l := newCounted(t, t.TempDir())
	theirs, ours := new(stuff).many(1, 20), new(stuff).many(1000, 20)
	b := &between{counted: l, do: func() { write(t, l, "x", theirs.content(result(1)), Options{}) }}
	w := write(t, b, "x", ours.content(result(2)), Options{})
	if w.Results != 2 {
		t.Errorf("%+v", w)
	}
	c := open(t, l, "x")
	if err := errors.Join(theirs.all(t.Context(), c), ours.all(t.Context(), c)); err != nil {
		t.Error(err)
	}
}

func TestWrongObjectsAreNotWritten(t *testing.T) {
	var s stuff
	o := s.add(Body, 1, 100)
	s.bodies[o] = []byte("something else")
	l := newCounted(t, t.TempDir())
	_, err := Write(t.Context(), l, "x", s.content(result(1)), Options{TempDir: t.TempDir()})
	if !errors.Is(err, digest.ErrMismatch) {
		t.Error(err)
	}
	if _, err := l.Resolve(t.Context(), "x"); err == nil {
		t.Error("it has its name all the same")
	}
}

func TestACancelledWriteLeavesTheOldCache(t *testing.T) {
	l := newCounted(t, t.TempDir())
	s := new(stuff).many(1, 20)
	first := write(t, l, "x", s.content(result(1)), Options{})
	ctx, cancel := context.WithCancel(t.Context())
	_, err := Write(ctx, l, "x", new(stuff).many(1, 900).content(result(2)), Options{TempDir: t.TempDir(), Progress: func(int64) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if d, err := l.Resolve(t.Context(), "x"); err != nil || d.Digest != first.Cache.Digest {
		t.Error(d, err)
	}
}
