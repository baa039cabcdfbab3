package embedded_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/inmemory"
	"github.com/sirupsen/logrus"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/image/imagetest"
	"github.com/inlaybuild/inlay/image/layout"
)

// onDisk writes an image of m as a layout, and gives its directory.
func onDisk(t testing.TB, m *imagetest.Memory, d image.Descriptor) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "layout")
	l, err := layout.Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := image.Copy(t.Context(), l, m, d, "v1", image.CopyOptions{}); err != nil {
		t.Fatal(err)
	}
	return dir
}

func place(t testing.TB, s string) engine.Place {
	t.Helper()
	p, err := engine.ParsePlace(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func from(source string) *graph.Node {
	return graph.New(graph.From{Source: source}, "From("+source+")")
}

func resolve(t testing.TB, e *embedded.Engine, n *graph.Node) engine.Result {
	t.Helper()
	r, err := e.Resolve(t.Context(), n, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func export(t testing.TB, e *embedded.Engine, r engine.Result, to string, o engine.ExportOptions) engine.Exported {
	t.Helper()
	x, err := e.Export(t.Context(), r, place(t, to), o)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func importAs(t testing.TB, e *embedded.Engine, source, name string, o embedded.ImportOptions) embedded.Imported {
	t.Helper()
	i, err := e.Import(t.Context(), place(t, source), name, o)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// files gives the content of all files below dir.
func files(t testing.TB, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		out[strings.TrimPrefix(p, dir)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestExportOfAnUnchangedImageIsTheImage(t *testing.T) {
	var m imagetest.Memory
	d := imagetest.Simple(t, &m)
	e := open(t, embedded.Options{})
	dir := onDisk(t, &m, d)
	got := importAs(t, e, "oci:"+dir+":v1", "base", embedded.ImportOptions{})
	if got.Image.Digest != d.Digest || got.Layers != 3 || got.Entries == 0 {
		t.Errorf("imported %+v", got)
	}
	out := filepath.Join(t.TempDir(), "out")
	x := export(t, e, resolve(t, e, from("base")), "oci:"+out+":v1", engine.ExportOptions{})
	if x.Image.Digest != d.Digest || x.NewLayer != nil || x.Reused != 3 {
		t.Errorf("exported %+v, want the image %s", x, d.Digest)
	}
	before, after := files(t, dir), files(t, out)
	for name, b := range before {
		if strings.HasPrefix(name, "/blobs/") && after[name] != b {
			t.Errorf("%s is not the same", name)
		}
	}
	sound(t, e)
}

func TestExportKeepsTheLayersOfTheBaseAndIsReproducible(t *testing.T) {
	var m imagetest.Memory
	d := imagetest.Simple(t, &m)
	dir := onDisk(t, &m, d)
	var all []map[string]string
	for _, c := range []engine.Compression{engine.Gzip, engine.Gzip, engine.Zstd, engine.Zstd, engine.Uncompressed, engine.Uncompressed} {
		e := open(t, embedded.Options{}) // another store each time
		n := graph.New(graph.NewFile{Path: "/etc/new", Content: bytes.Repeat([]byte("new "), 1000)}, "new", from("oci:"+dir))
		out := filepath.Join(t.TempDir(), "out")
		r := resolve(t, e, n)
		x := export(t, e, r, "oci:"+out+":v2", engine.ExportOptions{Compression: c})
		if x.NewLayer == nil || x.Reused != 3 {
			t.Errorf("exported %+v", x)
		}
		after := files(t, out)
		for _, l := range r.Base.Layers {
			if digest.Of([]byte(after["/blobs/sha256/"+l.Digest.Hex()])) != l.Digest {
				t.Errorf("layer %s of the base is not in the image", l.Digest)
			}
		}
		// What comes back is the same tree and configuration.
		back := resolve(t, e, from("oci:"+out+":v2"))
		if back.Tree.Digest() != r.Tree.Digest() || len(back.Base.Layers) != 4 {
			t.Errorf("what comes back is another tree, of %d layers", len(back.Base.Layers))
		}
		if again := export(t, e, r, "oci:"+out+":v2", engine.ExportOptions{Compression: c}); again.Image.Digest != x.Image.Digest {
			t.Errorf("exported again: %s, not %s", again.Image.Digest, x.Image.Digest)
		}
		all = append(all, after)
		sound(t, e)
	}
	for i := 0; i < len(all); i += 2 {
		for name, b := range all[i] {
			if all[i+1][name] != b {
				t.Errorf("another store gives another %s", name)
			}
		}
	}
}

func TestEveryPlaceGivesTheTreeBack(t *testing.T) {
	var m imagetest.Memory
	dir := onDisk(t, &m, imagetest.Simple(t, &m))
	e := open(t, embedded.Options{})
	n := graph.New(graph.NewFile{Path: "/bin/tool", Content: []byte("x"), Options: graph.CopyOptions{Mode: "4755"}}, "new", from("oci:"+dir))
	n = graph.New(graph.Symlink{Path: "/l", Target: "/etc/../bin"}, "link", n)
	env := graph.Configure{Env: []graph.EnvChange{{Name: "A", Value: "1"}}}
	r := resolve(t, e, graph.New(env, "env", n))
	out := t.TempDir()
	for _, to := range []string{"oci:" + out + "/oci:t", "oci-archive:" + out + "/oa.tar:t", "docker-archive:" + out + "/da.tar:host/t:1", "tar:" + out + "/t.tar", "tar:" + out + "/t.tar.gz", "tar:" + out + "/t.tar.zst", "dir:" + out + "/dir"} {
		if strings.HasPrefix(to, "dir:") && os.Geteuid() != 0 {
			continue
		}
		first := export(t, e, r, to, engine.ExportOptions{})
		back := resolve(t, e, from(to))
		if back.Tree.Digest() != r.Tree.Digest() {
			t.Errorf("%s: another tree comes back", to)
		}
		if first.Image != nil {
			if got := back.Config.Run().Env; !slices.Contains(got, "A=1") {
				t.Errorf("%s: the environment is %q", to, got)
			}
		}
		if i := importAs(t, e, to, "again", embedded.ImportOptions{}); i.Tree != r.Tree.Digest() {
			t.Errorf("%s: another tree is imported", to)
		}
		if strings.HasPrefix(to, "dir:") || strings.HasPrefix(to, "oci:") {
			continue
		}
		name := out + "/" + strings.Split(filepath.Base(strings.TrimPrefix(to, "docker-archive:")), ":")[0]
		if strings.HasPrefix(to, "docker-archive:") {
			name = out + "/da.tar"
		}
		before, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		export(t, e, r, to, engine.ExportOptions{})
		if after, _ := os.ReadFile(name); !bytes.Equal(before, after) {
			t.Errorf("%s: a second export has other bytes", to)
		}
	}
	if _, err := e.Export(t.Context(), r, place(t, "dir:"+out), engine.ExportOptions{}); err == nil {
		t.Error("a directory that is not empty was written to")
	}
	sound(t, e)
}

func TestAllPlatformsComeInAndGoOutUnchanged(t *testing.T) {
	var m imagetest.Memory
	d := imagetest.Multi(t, &m)
	dir := onDisk(t, &m, d)
	e := open(t, embedded.Options{})
	i := importAs(t, e, "oci:"+dir, "many", embedded.ImportOptions{AllPlatforms: true})
	if len(i.Platforms) != 3 || i.Image.Digest != d.Digest {
		t.Errorf("imported %+v", i)
	}
	out := filepath.Join(t.TempDir(), "out")
	x := export(t, e, resolve(t, e, from("many")), "oci:"+out+":v1", engine.ExportOptions{AllPlatforms: true})
	if x.Image.Digest != d.Digest || len(x.Platforms) != 3 {
		t.Errorf("exported %+v", x)
	}
	after := files(t, out)
	for name, b := range files(t, dir) {
		if strings.HasPrefix(name, "/blobs/") && after[name] != b {
			t.Errorf("%s is not the same", name)
		}
	}
	// One of them by its platform; another without the others.
	arm := resolve(t, e, graph.New(graph.From{Source: "many", Platform: "linux/arm/v7"}, "From"))
	if p := arm.Config.Platform(); p.Architecture != "arm" || p.Variant != "v7" {
		t.Errorf("got %+v", p)
	}
	changed := resolve(t, e, graph.New(graph.NewFile{Path: "/x"}, "new", from("many")))
	if _, err := e.Export(t.Context(), changed, place(t, "oci:"+out), engine.ExportOptions{AllPlatforms: true}); err == nil {
		t.Error("a changed image was exported for all platforms")
	}
	importAs(t, e, "oci:"+dir, "one", embedded.ImportOptions{})
	if _, err := e.Export(t.Context(), resolve(t, e, from("one")), place(t, "oci:"+out), engine.ExportOptions{AllPlatforms: true}); err == nil {
		t.Error("one platform was exported as all")
	}
	if _, err := e.Import(t.Context(), place(t, "oci:"+dir), "none", embedded.ImportOptions{Platform: "plan9/mips"}); err == nil || !strings.Contains(err.Error(), "plan9/mips") || !strings.Contains(err.Error(), "linux/arm") {
		t.Errorf("a platform that is not there: %v", err)
	}
	copied := importAs(t, e, "many", "copy", embedded.ImportOptions{})
	if len(copied.Platforms) != 3 || copied.Image.Digest != d.Digest {
		t.Errorf("copied %+v", copied)
	}
	sound(t, e)
}

// registryServer is a registry on loopback that remembers what it was asked.
type registryServer struct {
	*httptest.Server
	mu  sync.Mutex
	log []string
}

func startRegistry(t testing.TB) *registryServer {
	t.Helper()
	logrus.SetOutput(io.Discard)
	c := &configuration.Configuration{}
	c.Storage = configuration.Storage{"inmemory": nil}
	c.Log.AccessLog.Disabled = true
	c.Log.Level = "panic"
	c.HTTP.Secret = "x"
	app := handlers.NewApp(context.Background(), c)
	s := &registryServer{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.log = append(s.log, r.Method+" "+r.URL.RequestURI())
		s.mu.Unlock()
		app.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		s.Close()
		app.Shutdown()
	})
	return s
}

// asked gives the requests since the last call that have the words, and
// forgets.
func (s *registryServer) asked(words ...string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []string
	for _, l := range s.log {
		if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(l, w) }) {
			out = append(out, l)
		}
	}
	return out
}

func (s *registryServer) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.log = nil
}

func TestRegistriesGetAndGiveOnlyWhatIsNew(t *testing.T) {
	t.Setenv("DOCKER_CONFIG", t.TempDir())
	s := startRegistry(t)
	host := strings.TrimPrefix(s.URL, "http://")
	var m imagetest.Memory
	d := imagetest.Simple(t, &m)
	dir := onDisk(t, &m, d)

	e := open(t, embedded.Options{})
	base := resolve(t, e, from("oci:"+dir))
	x := export(t, e, base, host+"/team/base:1", engine.ExportOptions{})
	if x.Image.Digest != d.Digest {
		t.Errorf("pushed %s, not %s", x.Image.Digest, d.Digest)
	}
	s.forget()
	export(t, e, base, host+"/team/base:1", engine.ExportOptions{})
	if sent := append(s.asked("POST "), s.asked("PATCH ")...); len(sent) > 0 {
		t.Errorf("a second push sent %s", sent)
	}

	other := open(t, embedded.Options{})
	i := importAs(t, other, host+"/team/base:1", "b", embedded.ImportOptions{})
	if i.Image.Digest != d.Digest || i.Tree != base.Tree.Digest() {
		t.Errorf("pulled %+v", i)
	}
	s.forget()
	n := graph.New(graph.NewFile{Path: "/new", Content: []byte("new")}, "new", from("b"))
	x = export(t, other, resolve(t, other, n), host+"/team/derived:1", engine.ExportOptions{})
	if mounts := s.asked("POST ", "mount="); len(mounts) < 3 {
		t.Errorf("layers of the base were not mounted across repositories: %s", s.log)
	}
	s.forget()
	pulled := resolve(t, e, from(host+"/team/derived:1"))
	if got := s.asked("GET ", "/blobs/"); len(got) != 2 { // the config and the new layer
		t.Errorf("what the store has was fetched again: %s", got)
	}
	if pulled.Base.Image.Digest != x.Image.Digest {
		t.Error("another image came back")
	}
	// By digest, and the second time from the store.
	byDigest := host + "/team/derived@" + x.Image.Digest.String()
	resolve(t, e, from(byDigest))
	s.forget()
	resolve(t, e, from(byDigest))
	resolve(t, e, from(host+"/team/derived:1"))
	if got := s.asked(); len(got) > 0 {
		t.Errorf("the store's own was asked for: %s", got)
	}
	// A pull asks again.
	importAs(t, e, host+"/team/derived:1", host+"/team/derived:1", embedded.ImportOptions{})
	if got := s.asked("/manifests/"); len(got) == 0 {
		t.Error("a pull did not ask the registry")
	}
	_, err := e.Resolve(t.Context(), from(host+"/team/nothing:1"), nil)
	if err == nil || !strings.Contains(err.Error(), "nothing:1") {
		t.Errorf("what is not there: %v", err)
	}
	sound(t, e)
	sound(t, other)
}

func TestADirectoryKeepsOwnersAndIsNotReadTwice(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: owners")
	}
	dir := t.TempDir()
	for i, name := range []string{"a", "b"} {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(name), 0o640); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(p, 10+i, 20); err != nil {
			t.Fatal(err)
		}
	}
	e := open(t, embedded.Options{})
	r := resolve(t, e, from("dir:"+dir))
	a, _, err := r.Tree.Get(t.Context(), "a")
	if err != nil || a.Attr().UID != 10 || a.Attr().GID != 20 {
		t.Errorf("a is %+v (%v)", a, err)
	}
	time.Sleep(1200 * time.Millisecond) // what changed just now is read again: its time may stay
	resolve(t, e, from("dir:"+dir))
	cached := false
	if _, err := e.Resolve(t.Context(), from("dir:"+dir), engine.SinkFunc(func(ev engine.Event) {
		if end, ok := ev.(engine.StepEnded); ok {
			cached = end.Cached
		}
	})); err != nil || !cached {
		t.Errorf("files were read again (%v)", err)
	}
	host := resolve(t, e, graph.New(graph.Host{Path: dir}, "Host"))
	if b, _, err := host.Tree.Get(t.Context(), "b"); err != nil || b.Attr().UID != 0 {
		t.Errorf("b is %+v (%v)", b, err)
	}
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("changed"), 0o640); err != nil {
		t.Fatal(err)
	}
	if now := resolve(t, e, from("dir:"+dir)); now.Tree.Digest() == r.Tree.Digest() {
		t.Error("a change was not seen")
	}
}
