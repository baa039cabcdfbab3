package embedded_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	"github.com/sirupsen/logrus"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/engine/enginetest"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/image/imagetest"
	"github.com/inlaybuild/inlay/image/layout"
	"github.com/inlaybuild/inlay/image/registry"
	"github.com/inlaybuild/inlay/internal/compress"
	"github.com/inlaybuild/inlay/tree"
)

// cacheServer is a registry on loopback that counts what it sends of blobs, and in
// front of which a test may stand.
type cacheServer struct {
	*httptest.Server
	mu    sync.Mutex
	sent  int64
	front func(w http.ResponseWriter, r *http.Request) (done bool)
}

func startCacheServer(t testing.TB) *cacheServer {
	t.Helper()
	logrus.SetOutput(io.Discard)
	c := &configuration.Configuration{}
	c.Storage = configuration.Storage{"inmemory": nil}
	c.Log.AccessLog.Disabled = true
	c.Log.Level = "panic"
	c.HTTP.Secret = "x"
	app := handlers.NewApp(context.Background(), c)
	s := &cacheServer{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		front := s.front
		s.mu.Unlock()
		if front != nil && front(w, r) {
			return
		}
		if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/blobs/") {
			w = &countedWriter{w, s}
		}
		app.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		s.Close()
		app.Shutdown()
	})
	return s
}

type countedWriter struct {
	http.ResponseWriter
	s *cacheServer
}

func (w *countedWriter) Write(b []byte) (int, error) {
	n, err := w.ResponseWriter.Write(b)
	w.s.mu.Lock()
	w.s.sent += int64(n)
	w.s.mu.Unlock()
	return n, err
}

// since gives how many bytes of blobs were sent since it was called last.
func (s *cacheServer) since() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.sent
	s.sent = 0
	return n
}

func (s *cacheServer) stand(front func(w http.ResponseWriter, r *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.front = front
}

func (s *cacheServer) cache(name string, attrs ...string) engine.Cache {
	return cacheOf("type=registry,ref=" + strings.TrimPrefix(s.URL, "http://") + "/" + name + strings.Join(append([]string{""}, attrs...), ","))
}

func cacheOf(s string) engine.Cache {
	c, err := engine.ParseCache(s)
	if err != nil {
		panic(err)
	}
	return c
}

// seen are the events of a resolution.
type seen struct {
	mu   sync.Mutex
	all  []engine.Event
	from int // results that came from caches
	ran  int // processes that said something
	told []string
}

func (s *seen) Event(ev engine.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, ev)
	switch ev := ev.(type) {
	case engine.FromCache:
		s.from++
	case engine.Output:
		s.ran++
	case engine.CacheTold:
		if ev.Warning {
			s.told = append(s.told, ev.Text)
		}
	}
}

// steps gives a chain of processes whose results do not depend on when they run: a
// big file that does not compress, and two that stand on it.
func steps(t testing.TB) []*graph.Node {
	big := graph.New(graph.Exec{Args: []string{"/bin/busybox", "sh", "-ec", `
		mkdir -p /big /small/deep; echo said; echo wrong >&2
		i=0; while [ $i -lt 200 ]; do echo $i > /small/deep/$i; i=$((i+1)); done
		cat /bin/busybox /bin/busybox > /big/file
		busybox touch -d @1000 /big/file /big /small/deep/* /small/deep /small /`}}, "WithExec(big)", enginetest.Busybox(t))
	second := graph.New(graph.Exec{Args: []string{"/bin/busybox", "sh", "-ec", "echo second | tee /second; busybox touch -d @1000 /second /"}}, "WithExec(second)", big)
	third := graph.New(graph.Exec{Args: []string{"/bin/busybox", "sh", "-ec", "cat /second > /third; echo third; busybox touch -d @1000 /third /"}}, "WithExec(third)", second)
	return []*graph.Node{big, second, third}
}

// filled is a cache of [steps], made once for all tests, and what the last of them
// came to.
type filled struct {
	dir     string // of a layout
	tree    digest.Digest
	listing string
	stdout  tree.File
	desc    image.Descriptor
}

var (
	filledOnce sync.Once
	filledNow  *filled // nil if it could not be made
)

func fixture(t testing.TB) *filled {
	t.Helper()
	needsProcesses(t)
	filledOnce.Do(func() {
		dir, err := os.MkdirTemp("", "inlay-cache-")
		if err != nil {
			t.Fatal(err)
		}
		f := &filled{dir: dir}
		e := open(t, embedded.Options{CacheTo: []engine.Cache{cacheOf("type=local,dest=" + dir)}})
		r := resolve(t, e, steps(t)[2])
		if _, err := e.ExportCache(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		sound(t, e)
		f.tree, f.stdout, f.listing = r.Tree.Digest(), r.Exec.Stdout, list(t, e, r.Tree)
		l, err := layout.Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		if f.desc, err = l.Resolve(t.Context(), "latest"); err != nil {
			t.Fatal(err)
		}
		filledNow = f
	})
	if filledNow == nil {
		t.Fatal("the cache could not be made")
	}
	return filledNow
}

// trusted gives the cache as one that is read.
func (f *filled) trusted() engine.Cache { return cacheOf("type=local,trust=true,src=" + f.dir) }

// push puts the cache into a registry.
func (f *filled) push(t testing.TB, s *cacheServer) {
	t.Helper()
	l, err := layout.Open(f.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ref, err := registry.ParseRef(strings.TrimPrefix(s.URL, "http://") + "/team/cache:main")
	if err != nil {
		t.Fatal(err)
	}
	repo := registry.New(registry.Options{}).Repository(ref, registry.RepositoryOptions{})
	if err := image.Copy(t.Context(), repo, l, f.desc, "", image.CopyOptions{}); err != nil {
		t.Fatal(err)
	}
}

// copied copies the layout.
func (f *filled) copied(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "cache")
	if err := os.CopyFS(dir, os.DirFS(f.dir)); err != nil {
		t.Fatal(err)
	}
	return dir
}

// fill resolves n by a store of its own, writes it to the caches, and gives it.
func fill(t testing.TB, n *graph.Node, to ...engine.Cache) engine.Result {
	t.Helper()
	e := open(t, embedded.Options{CacheTo: to})
	r := resolve(t, e, n)
	if _, err := e.ExportCache(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	sound(t, e)
	return r
}

func TestASecondStoreWithTheCacheRunsNothing(t *testing.T) {
	want := fixture(t)
	s := startCacheServer(t)
	want.push(t, s)
	third := steps(t)[2]
	for name, from := range map[string]engine.Cache{
		"layout": want.trusted(), "registry": s.cache("team/cache:main", "trust=true"),
	} {
		t.Run(name, func(t *testing.T) {
			e := open(t, embedded.Options{CacheFrom: []engine.Cache{from}, Record: true})
			var ev seen
			r, err := e.Resolve(t.Context(), third, &ev)
			if err != nil {
				t.Fatal(err)
			}
			if r.Tree.Digest() != want.tree || ev.from != 3 || ev.ran != 0 || len(ev.told) > 0 {
				t.Errorf("%s with %d from the cache, %d ran, %v", r.Tree.Digest(), ev.from, ev.ran, ev.told)
			}
			if r.Exec.ExitCode != 0 || r.Exec.Stdout.Content != want.stdout.Content || readContent(t, e, r.Exec.Stdout) != "third\n" {
				t.Errorf("it said %+v", r.Exec)
			}
			sound(t, e)
			if _, err := e.Store().GC(t.Context(), collectAll); err != nil {
				t.Fatal(err)
			}
			sound(t, e)
			if list(t, e, r.Tree) != want.listing {
				t.Error("it has other entries")
			}
			sound(t, e)
		})
	}
}

func readContent(t testing.TB, e *embedded.Engine, f tree.File) string {
	t.Helper()
	rc, err := e.OpenContent(t.Context(), f.Content)
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	b, err := io.ReadAll(rc)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// list gives the paths and digests of a whole tree.
func list(t testing.TB, e *embedded.Engine, of tree.Tree) string {
	t.Helper()
	var b strings.Builder
	err := fs.WalkDir(tree.FS(t.Context(), of, e), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		fmt.Fprintln(&b, p, info.Mode(), info.Size(), info.ModTime())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestAHitReadsNothingUntilItIsLookedAt(t *testing.T) {
	want := fixture(t)
	s := startCacheServer(t)
	want.push(t, s)
	third := steps(t)[2]
	e := open(t, embedded.Options{CacheFrom: []engine.Cache{s.cache("team/cache:main", "trust=true")}, Record: true})
	s.since()
	r := resolve(t, e, third)
	if n := s.since(); n > 64<<10 {
		t.Errorf("%d bytes were read for a hit", n)
	}
	view := tree.FS(t.Context(), r.Tree, e)
	if _, err := fs.ReadDir(view, "small/deep"); err != nil {
		t.Fatal(err)
	}
	if n := s.since(); n > 64<<10 {
		t.Errorf("%d bytes were read for a directory", n)
	}
	b, err := fs.ReadFile(view, "big/file")
	if err != nil || len(b) < 1<<20 {
		t.Fatal(len(b), err)
	}
	if n := s.since(); n < 300_000 || n > int64(len(b)) {
		t.Errorf("%d bytes were read for the big file", n)
	}
	if _, err := fs.ReadFile(view, "big/file"); err != nil || s.since() != 0 {
		t.Error("it was read twice:", err)
	}
	// A process needs all of it; then it is the store's own.
	own := graph.New(graph.Exec{Args: []string{"/bin/busybox", "sh", "-ec", "cat /third /small/deep/7"}}, "WithExec(own)", third)
	x := resolve(t, e, own)
	if got := readContent(t, e, x.Exec.Stdout); got != "second\n7\n" {
		t.Errorf("%q", got)
	}
	sound(t, e)
	again := open(t, embedded.Options{Store: e.Store().Dir()})
	var ev seen
	if kept, err := again.Resolve(t.Context(), third, &ev); err != nil || kept.Tree.Digest() != want.tree {
		t.Error(err)
	}
	if last := ev.all[len(ev.all)-1].(engine.StepEnded); !last.Cached {
		t.Errorf("what was brought is not the store's own: %+v", last)
	}
}

// What only a cache has of a run is not named in the store, and what it has is.
func TestARunThatWasFoundInACacheIsRemembered(t *testing.T) {
	f := fixture(t)
	nodes := steps(t)
	e := open(t, embedded.Options{CacheFrom: []engine.Cache{f.trusted()}, Record: true})
	put := graph.New(graph.NewFile{Path: "/new/file", Content: []byte("new")}, "WithNewFile", nodes[1])
	resolve(t, e, put)
	_, err := e.Resolve(t.Context(), from("last"), nil)
	if err == nil || !strings.Contains(err.Error(), "in a cache of others") {
		t.Errorf("a tree that is not here: %v", err)
	}
	sound(t, e)
	own := graph.New(graph.Exec{Args: []string{"/bin/busybox", "true"}}, "WithExec(true)", put)
	r := resolve(t, e, own)
	if last := resolve(t, e, from("last")); last.Tree.Digest() != r.Tree.Digest() {
		t.Error("the last step is another tree")
	}
	sound(t, e)
}

func TestAnUntrustedCacheGivesContentAndNoResults(t *testing.T) {
	want := fixture(t)
	s := startCacheServer(t)
	want.push(t, s)
	third := steps(t)[2]
	e := open(t, embedded.Options{CacheFrom: []engine.Cache{s.cache("team/cache:main")}})
	var ev seen
	r, err := e.Resolve(t.Context(), third, &ev)
	if err != nil || ev.from != 0 || ev.ran == 0 || r.Tree.Digest() != want.tree {
		t.Errorf("%d from the cache, %d ran: %v", ev.from, ev.ran, err)
	}
	said := false
	for _, ev := range ev.all {
		told, ok := ev.(engine.CacheTold)
		said = said || ok && strings.Contains(told.Text, "trust=true")
	}
	if !said {
		t.Error("nobody says that it is not trusted")
	}
	fresh := open(t, embedded.Options{CacheFrom: []engine.Cache{s.cache("team/cache:main")}, Record: true})
	found, err := fresh.Resolve(t.Context(), from(want.tree.String()), nil)
	if err != nil || list(t, fresh, found.Tree) != want.listing {
		t.Errorf("what the digest names: %v", err)
	}
	if _, err := fresh.Resolve(t.Context(), from(digest.Of([]byte("nowhere")).String()), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	sound(t, fresh)
}

// However a registry fails, and whenever: the same result, and a warning.
func TestALostCacheIsAWarningAndTheStepsRun(t *testing.T) {
	f := fixture(t)
	s := startCacheServer(t)
	f.push(t, s)
	nodes := steps(t)
	top := graph.New(graph.Exec{Args: []string{"/bin/busybox", "sh", "-ec", "cat /small/deep/7; busybox touch -d @1000 /"}}, "WithExec(top)", nodes[0])
	want := resolve(t, open(t, embedded.Options{}), top)
	blob := func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/blobs/") }
	var blobs atomic.Int64 // that were asked for; the first two are the results and the index
	packs := func(r *http.Request) bool { return blob(r) && blobs.Add(1) > 2 }
	answer := func(code int, body string) func(http.ResponseWriter) {
		return func(w http.ResponseWriter) { w.WriteHeader(code); io.WriteString(w, body) }
	}
	hangUp := func(w http.ResponseWriter) { panic(http.ErrAbortHandler) }
	for name, c := range map[string]struct {
		of     func(*http.Request) bool
		answer func(http.ResponseWriter)
	}{
		"everything is refused":       {func(*http.Request) bool { return true }, answer(403, "")},
		"it is not there":             {func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/manifests/") }, answer(404, "")},
		"blobs are not there":         {blob, answer(404, "")},
		"blobs are others":            {blob, answer(200, "something else")},
		"packs are others":            {packs, answer(200, strings.Repeat("x", 1<<20))},
		"packs are not there":         {packs, answer(404, "")},
		"the manifest is no manifest": {func(r *http.Request) bool { return r.Method == "GET" && strings.Contains(r.URL.Path, "/manifests/") }, answer(200, "{}")},
		"it hangs up":                 {packs, hangUp},
	} {
		t.Run(name, func(t *testing.T) {
			s.stand(func(w http.ResponseWriter, r *http.Request) bool {
				if c.of(r) {
					c.answer(w)
					return true
				}
				return false
			})
			defer s.stand(nil)
			blobs.Store(0)
			e := open(t, embedded.Options{CacheFrom: []engine.Cache{s.cache("team/cache:main", "trust=true")}, Record: true})
			var ev seen
			r, err := e.Resolve(t.Context(), top, &ev)
			if err != nil || r.Tree.Digest() != want.Tree.Digest() {
				t.Fatalf("%s where %s was due: %v", r.Tree.Digest(), want.Tree.Digest(), err)
			}
			if len(ev.told) == 0 && name != "it is not there" {
				t.Error("nobody is warned")
			}
			if ev.ran == 0 {
				t.Error("nothing ran")
			}
			sound(t, e)
		})
	}
}

// A registry that dies after a hit: what stands on it runs all the same, and so does
// what is read of it.
func TestARegistryThatDiesMidwayFailsNothing(t *testing.T) {
	f := fixture(t)
	s := startCacheServer(t)
	f.push(t, s)
	nodes := steps(t)
	gone := func(w http.ResponseWriter, r *http.Request) bool { w.WriteHeader(403); return true }
	for name, use := range map[string]func(e *embedded.Engine, run *embedded.Run, sink engine.Sink) error{
		"a process": func(e *embedded.Engine, run *embedded.Run, sink engine.Sink) error {
			x := graph.New(graph.Exec{Args: []string{"/bin/busybox", "cat", "/third"}}, "WithExec(x)", nodes[2])
			r, err := run.Resolve(t.Context(), x, sink)
			if err == nil && readContent(t, e, r.Exec.Stdout) != "second\n" {
				err = errors.New("it said something else")
			}
			return err
		},
		"a copy": func(e *embedded.Engine, run *embedded.Run, sink engine.Sink) error {
			x := graph.New(graph.Copy{To: "/", From: []string{"/small"}}, "WithDirectory", graph.New(graph.Scratch{}, "scratch"), nodes[2])
			r, err := run.Resolve(t.Context(), x, sink)
			if err != nil {
				return err
			}
			_, err = e.Export(t.Context(), r, place(t, "dir:"+filepath.Join(t.TempDir(), "out")), exportDefault)
			if errors.Is(err, engine.ErrLost) {
				if r, err = run.Resolve(t.Context(), x, sink); err == nil {
					_, err = e.Export(t.Context(), r, place(t, "dir:"+filepath.Join(t.TempDir(), "out")), exportDefault)
				}
			}
			return err
		},
		"an export": func(e *embedded.Engine, run *embedded.Run, sink engine.Sink) error {
			r, err := run.Resolve(t.Context(), nodes[2], sink)
			if err != nil {
				return err
			}
			to := place(t, "tar:"+filepath.Join(t.TempDir(), "out.tar"))
			_, err = e.Export(t.Context(), r, to, exportDefault)
			if !errors.Is(err, engine.ErrLost) {
				return fmt.Errorf("the loss is not told: %w", err)
			}
			if r, err = run.Resolve(t.Context(), nodes[2], sink); err != nil {
				return err
			}
			_, err = e.Export(t.Context(), r, to, exportDefault)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			e := open(t, embedded.Options{CacheFrom: []engine.Cache{s.cache("team/cache:main", "trust=true")}, Record: true})
			run := e.Begin("")
			var ev seen
			if _, err := run.Resolve(t.Context(), nodes[2], &ev); err != nil || ev.from != 3 {
				t.Fatal(ev.from, err)
			}
			s.stand(gone)
			defer s.stand(nil)
			if err := use(e, run, &ev); err != nil {
				t.Errorf("%v; told: %v", err, ev.told)
			}
			if len(ev.told) != 1 {
				t.Errorf("told: %v", ev.told)
			}
			if err := run.End(t.Context(), nil); err != nil {
				t.Error(err)
			}
			sound(t, e)
		})
	}
}

// Each blob of a cache is damaged in each way: the result is the same.
func TestADamagedCacheGivesTheSameResults(t *testing.T) {
	dir := fixture(t).copied(t)
	top := graph.New(graph.Exec{Args: []string{"/bin/busybox", "sh", "-ec", "cat /small/deep/*; busybox touch -d @1000 /"}}, "WithExec(top)", steps(t)[0])
	want := resolve(t, open(t, embedded.Options{}), top)
	files, err := filepath.Glob(filepath.Join(dir, "blobs/sha256/*"))
	if err != nil || len(files) < 5 {
		t.Fatal(files, err)
	}
	for i, f := range files {
		was, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		bad := bytes.Clone(was)
		switch i % 3 {
		case 0:
			bad[len(bad)/2] ^= 1
		case 1:
			bad = bad[:len(bad)/2]
		case 2:
			bad = nil
		}
		os.Remove(f)
		if bad != nil {
			if err := os.WriteFile(f, bad, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		e := open(t, embedded.Options{CacheFrom: []engine.Cache{cacheOf("type=local,trust=true,src=" + dir)}})
		var ev seen
		r, err := e.Resolve(t.Context(), top, &ev)
		if err != nil || r.Tree.Digest() != want.Tree.Digest() {
			t.Errorf("blob %s: %v", filepath.Base(f), err)
		}
		sound(t, e)
		os.Remove(f)
		if err := os.WriteFile(f, was, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// A cache holds neither commands nor environments nor secrets.
func TestACacheHoldsNoCommands(t *testing.T) {
	needsProcesses(t)
	dir := filepath.Join(t.TempDir(), "cache")
	n := graph.New(graph.Exec{
		Args: []string{"/bin/busybox", "sh", "-ec", ": needle-in-the-command; cat /run/it; true"}, Env: []string{"A=needle-in-the-environment"},
		Mounts: []graph.Mount{{Kind: graph.MountSecret, Name: "it", Target: "/run/it"}},
	}, "needle-in-the-call", enginetest.Busybox(t))
	e := open(t, embedded.Options{
		Secret:  func(context.Context, string) ([]byte, error) { return []byte("needle-in-the-secret"), nil },
		CacheTo: []engine.Cache{cacheOf("type=local,dest=" + dir)}, Record: true,
	})
	r := resolve(t, e, n)
	if _, err := e.ExportCache(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if said := readContent(t, e, r.Exec.Stdout); strings.Contains(said, "needle") {
		t.Errorf("it said %q", said)
	}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		all := bytes.Clone(b)
		if z, err := compress.NewReader(bytes.NewReader(b), compress.Limits{}); err == nil {
			plain, _ := io.ReadAll(z)
			all = append(all, plain...)
		}
		if bytes.Contains(all, []byte("needle")) {
			t.Errorf("%s has a needle", p)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

// What was found in one cache goes to another one, whole.
func TestWhatWasFoundInACacheIsWrittenToAnother(t *testing.T) {
	want := fixture(t)
	first, second := want.copied(t), filepath.Join(t.TempDir(), "b")
	third := steps(t)[2]
	e := open(t, embedded.Options{
		CacheFrom: []engine.Cache{cacheOf("type=local,trust=true,src=" + first)}, CacheTo: []engine.Cache{cacheOf("type=local,dest=" + second)},
	})
	resolve(t, e, third)
	if out, err := e.ExportCache(t.Context(), nil); err != nil || out[0].Results != 3 {
		t.Fatal(out, err)
	}
	if err := os.RemoveAll(first); err != nil {
		t.Fatal(err)
	}
	f := open(t, embedded.Options{CacheFrom: []engine.Cache{cacheOf("type=local,trust=true,src=" + second)}})
	var ev seen
	r, err := f.Resolve(t.Context(), third, &ev)
	if err != nil || ev.from != 3 || list(t, f, r.Tree) != want.listing {
		t.Error(ev.from, err)
	}
	if got := readContent(t, f, r.Exec.Stdout); got != "third\n" {
		t.Errorf("%q", got)
	}
}

// The cache that a result was found in, written again, asks for nothing.
func TestACacheThatIsReadAndWrittenIsNotDownloaded(t *testing.T) {
	want := fixture(t)
	s := startCacheServer(t)
	want.push(t, s)
	e := open(t, embedded.Options{
		CacheFrom: []engine.Cache{s.cache("team/cache:main", "trust=true")}, CacheTo: []engine.Cache{s.cache("team/cache:main")},
	})
	resolve(t, e, steps(t)[2])
	s.since()
	out, err := e.ExportCache(t.Context(), nil)
	if err != nil || out[0].Results != 3 || out[0].Sent != 0 {
		t.Errorf("%+v: %v", out, err)
	}
	if n := s.since(); n > 64<<10 {
		t.Errorf("%d bytes were read", n)
	}
}

// An image whose tree a cache has is not pulled; its layers are read when they go
// somewhere.
func TestAnImageThatACacheHasIsNotUnpacked(t *testing.T) {
	var m imagetest.Memory
	layers := onDisk(t, &m, imagetest.Simple(t, &m))
	dir := filepath.Join(t.TempDir(), "cache")
	want := fill(t, from("oci:"+layers), cacheOf("type=local,dest="+dir))
	e := open(t, embedded.Options{CacheFrom: []engine.Cache{cacheOf("type=local,trust=true,src=" + dir)}, Record: true})
	put := graph.New(graph.NewFile{Path: "/new", Content: []byte("new")}, "WithNewFile", from("oci:"+layers))
	var ev seen
	r, err := e.Resolve(t.Context(), put, &ev)
	if err != nil || ev.from != 1 || r.Base.Tree.Digest() != want.Tree.Digest() || r.Base.Image.Digest != want.Base.Image.Digest {
		t.Fatal(ev.from, err)
	}
	usage, err := e.Store().Du(t.Context())
	if err != nil || usage.Blobs.Bytes > 20_000 {
		t.Errorf("%+v: %v", usage.Blobs, err)
	}
	out := filepath.Join(t.TempDir(), "out")
	x := export(t, e, r, "oci:"+out+":x", exportDefault)
	if x.Reused != 3 {
		t.Errorf("%+v", x)
	}
	sound(t, e)
	other := open(t, embedded.Options{})
	if got := resolve(t, other, from("oci:"+out+":x")); got.Tree.Digest() != r.Tree.Digest() {
		t.Error("the image has another tree")
	}
	// Without the layers it is an error of who has them, and nothing is broken.
	if err := os.RemoveAll(filepath.Join(layers, "blobs")); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Export(t.Context(), r, place(t, "oci:"+filepath.Join(t.TempDir(), "o")), exportDefault); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	sound(t, e)
}

func TestTwoExportersAtATimeBreakNothing(t *testing.T) {
	needsProcesses(t)
	s := startCacheServer(t)
	var wg sync.WaitGroup
	node := func(i int) *graph.Node {
		return script(t, graph.Exec{}, fmt.Sprintf("echo %d > /made", i))
	}
	for i := range 2 {
		e := open(t, embedded.Options{CacheTo: []engine.Cache{s.cache("team/cache:main")}})
		resolve(t, e, node(i))
		wg.Go(func() {
			if _, err := e.ExportCache(t.Context(), nil); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	e := open(t, embedded.Options{CacheFrom: []engine.Cache{s.cache("team/cache:main", "trust=true")}})
	var ev seen
	for i := range 2 {
		r, err := e.Resolve(t.Context(), node(i), &ev)
		if err != nil {
			t.Fatal(err)
		}
		list(t, e, r.Tree)
	}
	if ev.from == 0 || len(ev.told) > 0 {
		t.Errorf("%d of two results are there; %v", ev.from, ev.told)
	}
}

func TestBadCachesAreRefusedBeforeAnythingRuns(t *testing.T) {
	for text, want := range map[string]string{
		"type=inline":                  "belongs to its engine",
		"type=gha":                     "registry and local",
		"type=registry":                "ref is missing",
		"type=registry,ref=A B":        "reference",
		"type=local":                   "src is missing",
		"type=local,src=x,trust=maybe": "want true or false",
		"type=registry,ref=x/y:z,compression=zstd": "is not known",
	} {
		if err := embedded.CheckCacheFrom(cacheOf(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("from %s: %v", text, err)
		}
	}
	for text, want := range map[string]string{
		"type=inline":                                      "type=local,dest=DIR",
		"type=local,dest=x,mode=min":                       "leave it out",
		"type=local,dest=x,trust=true":                     "is not known",
		"type=registry,ref=x/y@" + digest.Of(nil).String(): "use a tag",
	} {
		if err := embedded.CheckCacheTo(cacheOf(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("to %s: %v", text, err)
		}
	}
	for _, good := range []string{"type=local,dest=x,mode=max,ignore-error=true", "host.example:5000/team/cache:main", "type=registry,ref=x/y:z,plain-http=true"} {
		if err := embedded.CheckCacheTo(cacheOf(good)); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	_, err := embedded.Open(t.Context(), embedded.Options{Store: t.TempDir() + "/s", CacheFrom: []engine.Cache{cacheOf("type=inline")}})
	if err == nil {
		t.Error("an engine opens with it")
	}
}

func TestACacheThatCannotBeWrittenIsAnErrorOrAWarning(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for ignore, text := range map[bool]string{false: "type=local,dest=" + file, true: "type=local,ignore-error=true,dest=" + file} {
		e := open(t, embedded.Options{CacheTo: []engine.Cache{cacheOf(text)}})
		var ev seen
		if _, err := e.ExportCache(t.Context(), &ev); (err == nil) != ignore || len(ev.told) > 0 != ignore {
			t.Errorf("ignore-error=%v: %v, told %v", ignore, err, ev.told)
		}
	}
}
