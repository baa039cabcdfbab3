package buildkit_test

import (
	"archive/tar"
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/inmemory"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/buildkit"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/engine/enginetest"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/image/imagetest"
	"github.com/inlaybuild/inlay/image/layout"
	"github.com/inlaybuild/inlay/internal/compress"
	"github.com/inlaybuild/inlay/internal/daemon"
	"github.com/inlaybuild/inlay/internal/daemontest"
	"github.com/inlaybuild/inlay/tree"
)

// registry starts a registry on loopback, in memory, and gives its host.
func registry(t testing.TB) string {
	t.Helper()
	c := &configuration.Configuration{Storage: configuration.Storage{"inmemory": configuration.Parameters{}}}
	c.Log.AccessLog.Disabled = true
	c.Log.Level = "fatal"
	s := httptest.NewServer(handlers.NewApp(t.Context(), c))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

// push writes what a node comes to on this machine to a registry.
func push(t testing.TB, e *embedded.Engine, n *graph.Node, ref string) {
	t.Helper()
	r, err := e.Resolve(t.Context(), n, nil)
	if err != nil {
		t.Fatal(err)
	}
	to, err := engine.ParsePlace(ref)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Export(t.Context(), r, to, engine.ExportOptions{PlainHTTP: true}); err != nil {
		t.Fatal(err)
	}
}

func from(ref string) *graph.Node { return graph.New(graph.From{Source: ref}, "from "+ref) }

func TestAnImageThatADaemonPullsIsTheTreeThatItIsHere(t *testing.T) {
	host := registry(t)
	here := openHere(t, embedded.Options{})
	ref := host + "/busybox:1"
	base := graph.New(graph.SetAttr{Paths: []string{"/"}, Mode: "0751", Shallow: true}, "with-mode", enginetest.Busybox(t))
	push(t, here, base, ref)
	want, err := here.Resolve(t.Context(), base, nil)
	if err != nil {
		t.Fatal(err)
	}
	there := open(t, embedded.Options{}, buildkit.Options{})
	got, err := there.Resolve(t.Context(), from(ref), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err = got.Known(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got.Tree.Digest() != want.Tree.Digest() {
		c, _ := compose.Diff(t.Context(), want.Tree, got.Tree)
		t.Errorf("the tree is %s, and here %s: %+v", got.Tree.Digest(), want.Tree.Digest(), c.Root)
	}
	if list, err := there.Images(t.Context()); err != nil || len(list) > 0 {
		t.Errorf("the store has %v, %v", list, err)
	}
}

// A layer may take away what a lower one has, have a file where that has a directory,
// or link to a file of it, which a daemon does not unpack: see docs/buildkit.md.
func TestAnImageWhoseLayersNeedOneAnotherIsTheTreeThatItIsHere(t *testing.T) {
	dir := tar.Header{Typeflag: tar.TypeDir, Name: "d/", Mode: 0o755}
	first := []tar.Header{dir, {Typeflag: tar.TypeReg, Name: "d/a", Mode: 0o640}, {Typeflag: tar.TypeDir, Name: "d/x/", Mode: 0o700}, {Typeflag: tar.TypeReg, Name: "d/x/y", Mode: 0o600}}
	t.Run("replace", func(t *testing.T) {
		pulled(t, false, first, []tar.Header{dir, {Typeflag: tar.TypeReg, Name: "d/.wh.a"}, {Typeflag: tar.TypeReg, Name: "d/x", Mode: 0o644}})
	})
	t.Run("link", func(t *testing.T) {
		pulled(t, true, first, []tar.Header{dir, {Typeflag: tar.TypeLink, Name: "d/b", Linkname: "d/a", Mode: 0o640}})
	})
}

// pulled tests that an image of layers that a daemon pulls is what it is here; one with
// links between layers may be refused.
func pulled(t *testing.T, links bool, layers ...[]tar.Header) {
	t.Helper()
	host := registry(t)
	here := openHere(t, embedded.Options{})
	dir := layoutOf(t, layers...)
	at, err := engine.ParsePlace("oci:" + dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := here.Import(t.Context(), at, "linked", embedded.ImportOptions{}); err != nil {
		t.Fatal(err)
	}
	want, err := here.Resolve(t.Context(), from("linked"), nil)
	if err != nil {
		t.Fatal(err)
	}
	push(t, here, from("linked"), host+"/linked:1")
	got, err := open(t, embedded.Options{}, buildkit.Options{}).Resolve(t.Context(), from(host+"/linked:1"), nil)
	if err == nil {
		got, err = got.Known(t.Context())
	}
	if links && err != nil && strings.Contains(err.Error(), "import it") {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	if got.Tree.Digest() != want.Tree.Digest() {
		c, _ := compose.Diff(t.Context(), want.Tree, got.Tree)
		t.Errorf("the tree is %s, and here %s: %+v %q", got.Tree.Digest(), want.Tree.Digest(), c.Root, c.Links)
	}
}

// layoutOf makes a layout of an image of layers, and gives its directory.
func layoutOf(t *testing.T, layers ...[]tar.Header) string {
	t.Helper()
	var m imagetest.Memory
	var all []image.Layer
	for _, headers := range layers {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, h := range headers {
			h.ModTime = time.Unix(int64(len(all))+1, 0)
			if err := w.WriteHeader(&h); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		all = append(all, imagetest.Layer(t, &m, b.Bytes(), compress.Gzip))
	}
	dir := filepath.Join(t.TempDir(), "layout")
	l, err := layout.Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if err := image.Copy(t.Context(), l, &m, imagetest.Image(t, &m, image.HostPlatform(), image.AssembleOptions{}, all...), "v1", image.CopyOptions{}); err != nil {
		t.Fatal(err)
	}
	return dir
}

// Layers may say nothing of directories, and link to one another: what an image has then
// is the same at a daemon, if it was imported here.
func TestAnImageThatWasImportedIsWhatAProcessAtADaemonSees(t *testing.T) {
	dir := tar.Header{Typeflag: tar.TypeDir, Name: "d/", Mode: 0o750}
	file := func(name string) tar.Header { return tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o640} }
	x := graph.Exec{Args: []string{"/bin/sh", "-c", "find /mnt/* | sort | xargs stat -c '%n %Y %a'"}, Network: graph.NetworkNone}
	inputs := []*graph.Node{enginetest.Busybox(t)}
	for name, layers := range map[string][][]tar.Header{
		"implied": {{file("implied/deep/f")}},
		"lower":   {{dir, file("d/a")}, {file("d/b")}},
		"removed": {{dir, file("d/a"), file("d/b")}, {file("d/.wh.a")}},
		"linked":  {{dir, file("d/a")}, {dir, {Typeflag: tar.TypeLink, Name: "d/b", Linkname: "d/a", Mode: 0o640}}},
		"said":    {{dir, file("d/a")}, {dir, file("d/b")}},
	} {
		x.Mounts = append(x.Mounts, graph.Mount{Kind: graph.MountTree, Target: "/mnt/" + name, Input: len(inputs)})
		inputs = append(inputs, from("oci:"+layoutOf(t, layers...)))
	}
	n := graph.New(x, "mounted", inputs...)
	want := saidBy(t, openHere(t, embedded.Options{}), n)
	store := t.TempDir()
	for range 2 { // what is known of layers is remembered
		t.Run("client", func(t *testing.T) {
			if got := saidBy(t, open(t, embedded.Options{Store: store}, buildkit.Options{}), n); got != want {
				t.Errorf("a process at the daemon sees\n%sand here\n%s", got, want)
			}
		})
	}
}

func TestTheSeedsCaseIsTheSameTreeOnBothEngines(t *testing.T) {
	host := registry(t)
	here := openHere(t, embedded.Options{})
	ref := host + "/busybox:1"
	push(t, here, enginetest.Busybox(t), ref)
	there := open(t, embedded.Options{}, buildkit.Options{})
	tool := graph.New(graph.NewFile{Path: "/tmate", Content: []byte("#!/bin/sh\necho tmate\n"), Options: graph.CopyOptions{Mode: "0755"}}, "tmate", graph.New(graph.Scratch{}, "scratch"))
	put := graph.New(graph.Copy{To: "/bin/tmate", From: []string{"/tmate"}}, "with-file", from(ref), tool)
	var lowered []engine.Lowering
	res, err := there.Resolve(t.Context(), script(put, "tmate"), engine.SinkFunc(func(e engine.Event) {
		if l, ok := e.(engine.Lowered); ok {
			lowered = append(lowered, l.Lowering)
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	if len(lowered) != 1 || lowered[0].How != engine.LowerMerge {
		t.Errorf("it was lowered by %v", lowered)
	}
	if res.Exec.Stdout.Size != int64(len("tmate\n")) {
		t.Errorf("it said %d bytes", res.Exec.Stdout.Size)
	}
	got, err := there.Resolve(t.Context(), put, nil)
	if err == nil {
		got, err = got.Known(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	want, err := here.Resolve(t.Context(), put, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got.Tree.Digest() != want.Tree.Digest() {
		t.Errorf("the tree is %s, and here %s", got.Tree.Digest(), want.Tree.Digest())
	}
}

func TestADaemonPushesWhatItHolds(t *testing.T) {
	host := registry(t)
	here := openHere(t, embedded.Options{})
	push(t, here, enginetest.Busybox(t), host+"/busybox:1")
	there := open(t, embedded.Options{}, buildkit.Options{})
	n := graph.New(graph.Configure{Env: []graph.EnvChange{{Name: "A", Value: "b"}}}, "env", script(from(host+"/busybox:1"), "echo 1 > /made; touch -d @7 /made /"))
	r, err := there.Resolve(t.Context(), n, nil)
	if err != nil {
		t.Fatal(err)
	}
	to, err := engine.ParsePlace(host + "/made:1")
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	out, err := there.Export(t.Context(), r, to, engine.ExportOptions{PlainHTTP: true, Progress: engine.SinkFunc(func(ev engine.Event) {
		if p, ok := ev.(engine.Progress); ok {
			told = append(told, p.What)
		}
	})})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(told, func(what string) bool { return strings.HasPrefix(what, host+"/made:1: ") }) {
		t.Errorf("it told %q", told)
	}
	if out.Image == nil || out.Image.Digest.IsZero() || out.Reused >= 0 {
		t.Errorf("it wrote %+v", out)
	}
	back, err := here.Resolve(t.Context(), from(host+"/made:1"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if e, ok, err := back.Tree.Get(t.Context(), "made"); err != nil || !ok || e.Attr().ModTime.Sec != 7 {
		t.Errorf("the image has %+v, %v", e, err)
	}
	if env := back.Config.Run().Env; len(env) == 0 || env[len(env)-1] != "A=b" {
		t.Errorf("the image has the environment %v", env)
	}
}

// What does not depend on a process is the same image, whichever daemon pushes it.
func TestAnImageIsTheSameWhicheverDaemonPushesIt(t *testing.T) {
	daemontest.Skip(t)
	host := registry(t)
	push(t, openHere(t, embedded.Options{}), enginetest.Busybox(t), host+"/busybox:1")
	n := graph.New(graph.NewFile{Path: "/etc/new", Content: []byte("new")}, "new", from(host+"/busybox:1"))
	var digests []string
	for i := range 2 {
		d := ownDaemon(t)
		there := open(t, embedded.Options{}, buildkit.Options{Addresses: []daemon.Address{{URL: d.Address}}})
		r, err := there.Resolve(t.Context(), n, nil)
		if err != nil {
			t.Fatal(err)
		}
		out, err := there.Export(t.Context(), r, engine.Place{Scheme: engine.SchemeName, Path: fmt.Sprint(host, "/new:", i)}, engine.ExportOptions{PlainHTTP: true})
		if err != nil {
			t.Fatal(err)
		}
		if out.Reused >= 0 {
			t.Error("it was not pushed by the daemon")
		}
		digests = append(digests, out.Image.Digest.String())
	}
	if digests[0] != digests[1] {
		t.Errorf("the images are %s", digests)
	}
}

// What a daemon's layers would lose is pushed from here.
func TestAPushHasWhatADaemonsLayersWouldLose(t *testing.T) {
	host := registry(t)
	here, there := openHere(t, embedded.Options{}), open(t, embedded.Options{}, buildkit.Options{})
	dir := t.TempDir()
	when := time.Unix(5, 111_111_111)
	if err := errors.Join(os.WriteFile(dir+"/timed", []byte("from the root\n"), 0o644), os.Chtimes(dir+"/timed", when, when)); err != nil {
		t.Fatal(err)
	}
	timed := graph.New(graph.Host{Path: dir}, "host")
	push(t, here, graph.New(graph.Copy{To: "/etc", From: []string{"/timed"}}, "copy", enginetest.Busybox(t), timed), host+"/busybox:1")
	base := from(host + "/busybox:1")
	copied := graph.New(graph.Copy{To: "/copied", From: []string{"/timed"}}, "copy", base, timed)
	for name, n := range map[string]*graph.Node{
		"the mode of the root":                            script(base, "chmod 711 /; touch -d @7 /"),
		"a time before 1970":                              script(base, "echo > /made; touch -d @-315619200 /made; touch -d @7 /"),
		"a name of a whiteout":                            script(base, "echo 1 > /etc/.wh.passwd; touch -d @7 /etc/.wh.passwd /etc"),
		"nothing that is lost ":                           script(base, "echo 1 > /made; touch -d @7 /made"),
		"contents of the size and the time that they had": script(base, "touch -r /etc/timed /ref; tr r R < /etc/timed > /new; cat /new > /etc/timed; touch -r /ref /etc/timed; rm /ref /new"),
		"a new name of a file":                            script(base, "ln /etc/timed /etc/linked; touch -d @7 /etc"),
		"a new name that an operation gives":              graph.New(graph.Hardlink{Path: "/etc/linked", Target: "/etc/timed"}, "with-hardlink", base),
		"parts of a second":                               copied,
		"parts of a second, and what a process made":      script(copied, "echo > /made; touch -d @7 /made"),
	} {
		t.Run(name, func(t *testing.T) {
			r, err := there.Resolve(t.Context(), n, nil)
			if err != nil {
				t.Fatal(err)
			}
			to, err := engine.ParsePlace(host + "/made:" + strings.Trim(strings.NewReplacer(" ", "-", ",", "").Replace(name), "-"))
			if err != nil {
				t.Fatal(err)
			}
			_, err = there.Export(t.Context(), r, to, engine.ExportOptions{PlainHTTP: true})
			if name == "a name of a whiteout" {
				if err == nil || !strings.Contains(err.Error(), ".wh.") {
					t.Errorf("the error is %v", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			back, err := here.Resolve(t.Context(), from(to.Path), nil)
			if err != nil {
				t.Fatal(err)
			}
			if r, err = r.Known(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := back.Tree.With(tree.Attr{Mode: back.Tree.Attr().Mode}).Digest(); got != r.Tree.With(tree.Attr{Mode: r.Tree.Attr().Mode}).Digest() {
				c, _ := compose.Diff(t.Context(), r.Tree, back.Tree)
				t.Errorf("another tree: %+v %+v", c.Root, back.Tree.Attr())
			}
		})
	}
}

// A daemon is asked for files by their paths, as text.
func TestAFileWhoseNameIsNoTextIsReadAndExported(t *testing.T) {
	there := open(t, embedded.Options{}, buildkit.Options{})
	n := script(enginetest.Busybox(t), `mkdir /n; echo odd > "/n/$(printf '\377x')"; echo even > /n/ok`)
	r, err := there.Resolve(t.Context(), n, nil)
	if err != nil {
		t.Fatal(err)
	}
	e, err := r.Tree.Lookup(t.Context(), "/n/\xffx")
	if err != nil {
		t.Fatal(err)
	}
	if b, err := readAll(t, there, e.(tree.File).Content); err != nil || string(b) != "odd\n" {
		t.Errorf("%q %v", b, err)
	}
	other := open(t, embedded.Options{}, buildkit.Options{})
	if r, err = other.Resolve(t.Context(), n, nil); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "out.tar")
	if _, err := other.Export(t.Context(), r, engine.Place{Scheme: engine.SchemeTar, Path: file}, engine.ExportOptions{}); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(file); err != nil || !bytes.Contains(b, []byte("odd\n")) || !bytes.Contains(b, []byte("n/\xffx")) {
		t.Errorf("the tar lacks it: %v", err)
	}
}

func readAll(t *testing.T, e engine.Engine, d digest.Digest) ([]byte, error) {
	t.Helper()
	f, err := e.OpenContent(t.Context(), d)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

func TestWhatADaemonHoldsIsExportedHereAsItIs(t *testing.T) {
	there := open(t, embedded.Options{}, buildkit.Options{})
	n := script(enginetest.Busybox(t), "mkdir /d; for i in $(seq 60); do echo $i > /d/$i; done; ln /d/1 /d/one; chmod 4711 /d/2; find /d / -maxdepth 1 | while read f; do touch -h -d @7 $f; done")
	r, err := there.Resolve(t.Context(), n, nil)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := r.Known(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, dest := range []string{"oci:" + t.TempDir() + "/out:1", "tar:" + t.TempDir() + "/out.tar"} {
		to, err := engine.ParsePlace(dest)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := there.Export(t.Context(), r, to, engine.ExportOptions{}); err != nil {
			t.Fatal(err)
		}
		back, err := openHere(t, embedded.Options{}).Resolve(t.Context(), from(dest), nil)
		if err != nil {
			t.Fatal(err)
		}
		if back.Tree.Digest() != whole.Tree.Digest() {
			c, _ := compose.Diff(t.Context(), whole.Tree, back.Tree)
			t.Errorf("%s: another tree: %+v", to.Scheme, c.Root)
		}
	}
}

func TestADaemonHasResultsFromACacheThatAnotherOneWrote(t *testing.T) {
	ref := map[string]string{"ref": registry(t) + "/cache:1"}
	t.Run("registry", func(t *testing.T) {
		shareCache(t, engine.Cache{Type: "registry", Attrs: ref}, engine.Cache{Type: "registry", Attrs: ref})
	})
	dir := t.TempDir()
	t.Run("local", func(t *testing.T) {
		shareCache(t, engine.Cache{Type: "local", Attrs: map[string]string{"dest": dir}}, engine.Cache{Type: "local", Attrs: map[string]string{"src": dir}})
	})
}

// The layers of a daemon's cache do not hold all that a tree can have. What they would
// lose is not in it, and who writes it is told.
func TestACacheGivesNothingThatItsLayersLose(t *testing.T) {
	daemontest.Skip(t)
	dir := t.TempDir()
	odd := time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := errors.Join(os.WriteFile(dir+"/odd", []byte("odd"), 0o644), os.Chtimes(dir+"/odd", odd, odd)); err != nil {
		t.Fatal(err)
	}
	base, host := enginetest.Busybox(t), graph.New(graph.Host{Path: dir}, "host")
	changed := graph.New(graph.Copy{To: "/", From: []string{"/odd"}}, "copy", base, host)
	made := script(base, "echo odd > /odd; touch -d @-315619200 /odd")
	mounted := func(text string) *graph.Node {
		return graph.New(graph.Exec{
			Args: []string{"/bin/sh", "-c", text}, Network: graph.NetworkNone, Mounts: []graph.Mount{{Kind: graph.MountTree, Target: "/mnt", Input: 1}},
		}, "mounted", base, host)
	}
	at := fmt.Sprint(odd.Unix())
	one, other := []daemon.Address{{URL: ownDaemon(t).Address}}, []daemon.Address{{URL: ownDaemon(t).Address}}
	linked := script(graph.New(graph.Copy{To: "/t", From: []string{"/"}}, "with-directory", base, old(t)), "rm /t/l; ln -s bbbb /t/l; touch -h -r /t/f /t/l")
	rounded := script(with(base, "/t", old(t)), "touch -d @7 /t")
	for name, c := range map[string]struct {
		before, after *graph.Node
		lost, want    string
	}{
		"what a process left":                            {made, script(made, "stat -c %Y /odd"), "/odd", at},
		"what a process left that another took away":     {script(made, "rm /odd"), script(made, "stat -c %Y /odd"), "/odd", at},
		"what a process saw":                             {script(changed, "rm /odd"), script(changed, "stat -c %Y /odd"), "/odd", at},
		"what was mounted for a process":                 {mounted("true"), mounted("stat -c %Y /mnt/odd"), "/odd", at},
		"a symlink of the size and the time that it had": {linked, script(linked, "readlink /t/l"), "/t/l", "bbbb"},
		"a time that lost the parts of a second it had":  {rounded, script(rounded, "stat -c %y /t"), "/t", "1970-01-01 00:00:07.000000000 +0000"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			to := open(t, embedded.Options{}, buildkit.Options{Addresses: one, CacheTo: []engine.Cache{{Type: "local", Attrs: map[string]string{"dest": dir}}}})
			if _, err := to.Resolve(t.Context(), c.before, nil); err != nil {
				t.Fatal(err)
			}
			if told := toldBy(t, to); len(told) != 1 || !strings.Contains(told[0], c.lost) {
				t.Errorf("told is %q", told)
			}
			from := open(t, embedded.Options{}, buildkit.Options{Addresses: other, CacheFrom: []engine.Cache{{Type: "local", Attrs: map[string]string{"src": dir}}}})
			if said := saidBy(t, from, c.after); said != c.want+"\n" {
				t.Errorf("it is %q, want %s", said, c.want)
			}
		})
	}
	e := open(t, embedded.Options{}, buildkit.Options{CacheTo: []engine.Cache{{Type: "local", Attrs: map[string]string{"dest": t.TempDir()}}}})
	if _, err := e.Resolve(t.Context(), script(base, "echo > /made"), nil); err != nil {
		t.Fatal(err)
	}
	if told := toldBy(t, e); len(told) > 0 {
		t.Errorf("told is %q, and nothing is lost", told)
	}
}

// toldBy writes caches, and gives the warnings.
func toldBy(t *testing.T, e *embedded.Engine) (told []string) {
	t.Helper()
	_, err := e.ExportCache(t.Context(), engine.SinkFunc(func(ev engine.Event) {
		if c, ok := ev.(engine.CacheTold); ok && c.Warning {
			told = append(told, c.Text)
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	return told
}

// saidBy gives what the process of a node said.
func saidBy(t *testing.T, e *embedded.Engine, n *graph.Node) string {
	t.Helper()
	r, err := e.Resolve(t.Context(), n, nil)
	if err != nil {
		t.Fatal(err)
	}
	return textOf(t, e, r.Exec.Stdout)
}

// What a client remembers of what a process left is not taken for what a cache has of it.
func TestAListOfWhatAProcessLeftIsNotThatOfWhatACacheHas(t *testing.T) {
	dir, store := t.TempDir(), t.TempDir()
	n := script(with(enginetest.Busybox(t), "/old", old(t)), "mkdir /d; echo k > /d/made; mkfifo /d/fifo; touch -r /old /d/fifo")
	for i, o := range []buildkit.Options{
		{CacheTo: []engine.Cache{{Type: "local", Attrs: map[string]string{"dest": dir}}}},
		{CacheFrom: []engine.Cache{{Type: "local", Attrs: map[string]string{"src": dir}}}},
	} {
		d := ownDaemon(t)
		o.Addresses = []daemon.Address{{URL: d.Address}}
		e, err := embedded.Open(t.Context(), embedded.Options{Store: store, Remote: buildkit.At(o)})
		if err != nil {
			t.Fatal(err)
		}
		r, err := e.Resolve(t.Context(), n, nil)
		if err != nil {
			t.Fatal(err)
		}
		at, err := r.Tree.Lookup(t.Context(), "/d")
		if err != nil {
			t.Fatal(err)
		}
		// The layers of a cache have times in whole seconds: of clocks nobody has others.
		exact := 0
		for c, err := range at.(tree.Tree).All(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			if c.Entry.Attr().ModTime.Nsec != 0 {
				exact++
			}
		}
		if want := []int{1, 0}[i]; exact != want {
			t.Errorf("%d: %d entries have times with parts of seconds, want %d", i, exact, want)
		}
		if _, err := e.ExportCache(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		if err := e.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWhatIsWrongWithADaemonsCachesIsTold(t *testing.T) {
	daemontest.Skip(t)
	host := registry(t)
	for _, c := range []struct {
		name    string
		from    engine.Cache
		warning bool
		want    string
	}{
		{"a registry has none", engine.Cache{Type: "registry", Attrs: map[string]string{"ref": host + "/none:1"}}, false, "none yet"},
		{"nobody answers", engine.Cache{Type: "registry", Attrs: map[string]string{"ref": "127.0.0.1:1/cache:1"}}, true, "cannot read it"},
		{"a directory has none", engine.Cache{Type: "local", Attrs: map[string]string{"src": t.TempDir()}}, false, "none yet"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := open(t, embedded.Options{}, buildkit.Options{CacheFrom: []engine.Cache{c.from}})
			var told []engine.CacheTold
			if _, err := e.Resolve(t.Context(), script(enginetest.Busybox(t), "echo "+rand.Text()), engine.SinkFunc(func(ev engine.Event) {
				if e, ok := ev.(engine.CacheTold); ok {
					told = append(told, e)
				}
			})); err != nil {
				t.Fatal(err)
			}
			if len(told) != 1 || told[0].Warning != c.warning || !strings.Contains(told[0].Text, c.want) {
				t.Errorf("it is told %+v", told)
			}
		})
	}
}

func TestWhatIsNoCacheOfADaemonIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"type=tape,ref=x": "tape", "type=registry": "ref", "type=local": "src", "type=inline": "type=registry",
		"type=registry,ref=x,plain-http=perhaps": "plain-http",
	} {
		c, err := engine.ParseCache(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := buildkit.CheckCacheFrom(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
		if _, err := embedded.Open(t.Context(), embedded.Options{Store: t.TempDir(), Remote: buildkit.At(buildkit.Options{
			Addresses: []daemon.Address{{URL: "unix:///none"}}, CacheFrom: []engine.Cache{c},
		})}); err == nil {
			t.Errorf("%s: an engine is opened with it", text)
		}
	}
	one := engine.Cache{Type: "local", Attrs: map[string]string{"src": "/one"}}
	if _, err := buildkit.New(buildkit.Options{Addresses: []daemon.Address{{URL: "unix:///none"}}, CacheFrom: []engine.Cache{one, one}}, nil); err == nil || !strings.Contains(err.Error(), "name one") {
		t.Errorf("of two caches: %v", err)
	}
	for text, want := range map[string]string{
		"type=tape": "tape", "type=registry": "ref", "type=local,src=x": "dest", "type=registry,ref=x,mode=some": "mode",
	} {
		c, err := engine.ParseCache(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := buildkit.CheckCacheTo(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{"type=inline", "type=gha", "type=s3,region=x,bucket=y", "type=local,dest=x,mode=min", "host/name:tag"} {
		c, err := engine.ParseCache(text)
		if err == nil {
			err = buildkit.CheckCacheTo(c)
		}
		if err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func shareCache(t *testing.T, to, from engine.Cache) {
	n := func(last string) *graph.Node {
		made := script(enginetest.Busybox(t), "head -c 9 /dev/urandom > /made; touch -d @7 /made /")
		copied := script(made, "cp /made /copy; touch -d @7 /copy /; echo "+last)
		// What follows has the time of a file in its tree that a cache has in seconds.
		late := script(copied, "mkdir /d; echo late > /d/late")
		changed := graph.New(graph.NewFile{Path: "/bin/new", Content: []byte("new")}, "new", late)
		return script(changed, "cat /d/late /bin/new; touch -d @7 /d/late /bin/new /d /")
	}
	var digests []string
	for _, o := range []buildkit.Options{
		{CacheTo: []engine.Cache{to}}, {CacheFrom: []engine.Cache{from}},
	} {
		d := ownDaemon(t)
		o.Addresses = []daemon.Address{{URL: d.Address}}
		e := open(t, embedded.Options{}, o)
		cached := 0
		r, err := e.Resolve(t.Context(), n("done"), engine.SinkFunc(func(ev engine.Event) {
			if s, ok := ev.(engine.StepEnded); ok && s.Cached {
				cached++
			}
		}))
		if err == nil {
			r, err = r.Known(t.Context())
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(digests) > 0 && cached < 4 {
			t.Errorf("%d steps were cached", cached)
		}
		digests = append(digests, r.Tree.Digest().String())
		if _, err := e.ExportCache(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
	}
	if digests[0] != digests[1] {
		t.Errorf("the trees are %v", digests)
	}
}

func TestOfALargeDirectoryOnlyWhatChangedGoesToADaemonThatHasTheRest(t *testing.T) {
	dir := t.TempDir()
	body := make([]byte, 256<<10)
	for i := range 64 {
		copy(body, fmt.Sprint("file ", i))
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint("f", i)), body, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	n := func() *graph.Node {
		host := graph.New(graph.Host{Path: dir}, "host")
		put := graph.New(graph.Copy{To: "/src/", From: []string{"/"}, Options: graph.CopyOptions{Contents: true}}, "with-directory", enginetest.Busybox(t), host)
		return script(put, "cat /src/* | md5sum")
	}
	var r *buildkit.Remote
	at := address(t)
	e := openHere(t, embedded.Options{Remote: func(l engine.Local) (_ engine.Remote, err error) {
		r, err = buildkit.New(buildkit.Options{Addresses: []daemon.Address{at}}, l)
		return r, err
	}})
	if _, err := e.Resolve(t.Context(), n(), nil); err != nil {
		t.Fatal(err)
	}
	first := r.Sent()
	if err := os.WriteFile(filepath.Join(dir, "f7"), []byte("changed"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Resolve(t.Context(), n(), nil); err != nil {
		t.Fatal(err)
	}
	second := r.Sent() - first
	if first < 16<<20 || second > first/8 {
		t.Errorf("first %d bytes went there, then %d", first, second)
	}
}

// What is put beside a directory of many small files does not send it again.
func TestADirectoryOfManyFilesIsNotSentAgainForWhatIsPutBesideIt(t *testing.T) {
	dir := t.TempDir()
	for i := range 600 {
		if err := os.WriteFile(fmt.Sprint(dir, "/", i), bytes.Repeat([]byte{byte(i)}, 1<<10), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var r *buildkit.Remote
	at := address(t)
	e := openHere(t, embedded.Options{Remote: func(l engine.Local) (_ engine.Remote, err error) {
		r, err = buildkit.New(buildkit.Options{Addresses: []daemon.Address{at}}, l)
		return r, err
	}})
	put := graph.New(graph.Copy{To: "/src/many", From: []string{"/"}}, "with-directory", script(enginetest.Busybox(t), "mkdir /src"), graph.New(graph.Host{Path: dir}, "host"))
	var sent []int64
	for i := range 2 {
		n := script(graph.New(graph.NewFile{Path: "/src/beside", Content: []byte{byte(i)}}, "with-new-file", put), "cat /src/many/* | wc -c; "+uuid)
		if said := saidBy(t, e, n); !strings.HasPrefix(said, "614400\n") {
			t.Errorf("it said %q", said)
		}
		sent = append(sent, r.Sent())
	}
	if again := sent[1] - sent[0]; sent[0] < 600<<10 || again > 64<<10 {
		t.Errorf("first %d bytes went there, then %d", sent[0], again)
	}
}

// Many names that go are no operation each.
func TestManyNamesAreRemovedAtOnce(t *testing.T) {
	e := open(t, embedded.Options{}, buildkit.Options{})
	made := script(enginetest.Busybox(t), "mkdir /many; cd /many; for i in $(seq 700); do : > $i; done; echo > kept")
	var how []engine.LoweringKind
	r, err := e.Resolve(t.Context(), script(graph.New(graph.Remove{Paths: []string{"/many/[0-9]*"}}, "without-paths", made), "ls /many > /seen"), engine.SinkFunc(func(ev engine.Event) {
		if l, ok := ev.(engine.Lowered); ok {
			how = append(how, l.How)
		}
	}))
	if err != nil {
		t.Fatal(err)
	}
	if seen := contentAt(t, e, r.Tree, "/seen"); seen != "kept\n" || !slices.Contains(how, engine.LowerApply) {
		t.Errorf("a process sees %q; the trees were made by %v", seen, how)
	}
}

// Snapshots that are copies leave the places of mounts in the tree, which have the group of a
// root that hands it on.
func TestPlacesOfMountsGoFromARootThatHandsItsGroupOn(t *testing.T) {
	daemontest.Skip(t)
	n := script(script(enginetest.Busybox(t), "chown 0:4 /; chmod 2755 /"), ":")
	names := func(e *embedded.Engine) (out []string) {
		r, err := e.Resolve(t.Context(), n, nil)
		if err != nil {
			t.Fatal(err)
		}
		for c, err := range r.Tree.All(t.Context()) {
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, c.Name)
		}
		return out
	}
	want := names(openHere(t, embedded.Options{}))
	for _, snapshotter := range []string{"overlayfs", "native"} {
		d, err := daemontest.Start("--oci-worker-snapshotter=" + snapshotter)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(d.Close)
		if got := names(open(t, embedded.Options{}, buildkit.Options{Addresses: []daemon.Address{{URL: d.Address}}})); !slices.Equal(got, want) {
			t.Errorf("%s: the root has %q, want %q", snapshotter, got, want)
		}
	}
}
