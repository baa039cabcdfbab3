package archive_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/image/archive"
	"github.com/inlaybuild/inlay/image/imagetest"
	"github.com/inlaybuild/inlay/image/layout"
	"github.com/inlaybuild/inlay/internal/compress"
)

func item(d image.Descriptor, name string) archive.Item {
	return archive.Item{Descriptor: d, Name: name}
}

type writer func(ctx context.Context, w io.Writer, src image.Opener, items []archive.Item, opt archive.WriteOptions) error

func write(t testing.TB, f writer, src image.Opener, items ...archive.Item) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := f(t.Context(), &b, src, items, archive.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(t testing.TB, b []byte) *archive.Archive {
	t.Helper()
	a, err := archive.Read(bytes.NewReader(b), archive.ReadOptions{TempDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

// same checks that all of d comes out of src.
func same(t testing.TB, src image.Source, name string, d image.Descriptor) {
	t.Helper()
	got, err := src.Resolve(t.Context(), name)
	if err != nil || got.Digest != d.Digest || got.Size != d.Size {
		t.Errorf("%q is %s, %v; want %s", name, got.Digest, err, d.Digest)
		return
	}
	if err := image.Copy(t.Context(), &imagetest.Memory{}, src, got, "x", image.CopyOptions{}); err != nil {
		t.Errorf("%q: %v", name, err)
	}
}

func TestWhatIsWrittenIsRead(t *testing.T) {
	var m imagetest.Memory
	a, b := imagetest.Simple(t, &m), imagetest.Multi(t, &m)
	x := read(t, write(t, archive.WriteOCI, &m, item(a, "a"), item(b, "b"), item(a, "c")))
	same(t, x, "a", a)
	same(t, x, "b", b)
	same(t, x, "c", a)
	if _, err := x.Resolve(t.Context(), ""); !errors.Is(err, image.ErrUnknownRef) || !strings.Contains(err.Error(), "a, b, c") {
		t.Error(err)
	}
	y := read(t, write(t, archive.WriteDocker, &m, item(a, "debian:12"), item(a, "host:5000/x")))
	for _, name := range []string{"debian:12", "library/debian:12", "12", "host:5000/x:latest", "host:5000/x", ""} {
		same(t, y, name, a)
	}
	same(t, read(t, write(t, archive.WriteOCI, &m, item(b, ""))), "", b)
}

func TestSameItemsInAnyOrderGiveTheSameBytes(t *testing.T) {
	var m imagetest.Memory
	a := imagetest.Simple(t, &m)
	b := imagetest.Image(t, &m, image.HostPlatform(), image.AssembleOptions{}, imagetest.Layer(t, &m, imagetest.Tar(t, "b", 10), compress.Gzip))
	for _, f := range []writer{archive.WriteOCI, archive.WriteDocker} {
		one := write(t, f, &m, item(a, "x:1"), item(b, "x:2"), item(a, "x:3"))
		two := write(t, f, &m, item(a, "x:3"), item(b, "x:2"), item(a, "x:1"))
		if !bytes.Equal(one, two) {
			t.Error("another order gives other bytes")
		}
	}
}

func TestDockerArchiveOfAnIndexIsRefused(t *testing.T) {
	var m imagetest.Memory
	err := archive.WriteDocker(t.Context(), io.Discard, &m, []archive.Item{item(imagetest.Multi(t, &m), "x")}, archive.WriteOptions{})
	if !errors.Is(err, image.ErrMediaType) {
		t.Fatal(err)
	}
}

type entry struct {
	name, body, link string
}

func makeTar(t testing.TB, entries []entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Typeflag: tar.TypeReg, Name: e.name, Size: int64(len(e.body)), Mode: 0o644}
		if e.link != "" {
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, e.link, 0
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if e.link == "" {
			io.WriteString(w, e.body)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// oldDocker makes what docker save wrote before Docker 25: a directory for each
// layer, in which layer.tar may be a link to that of another.
func oldDocker(t testing.TB, squeeze bool) ([]entry, []digest.Digest) {
	t.Helper()
	one, two := imagetest.Tar(t, "one", 1000), imagetest.Tar(t, "two", 2000)
	ids := []digest.Digest{digest.Of(one), digest.Of(two), digest.Of(one)}
	config, err := json.Marshal(map[string]any{
		"architecture": "amd64", "os": "linux", "docker_version": "20.10",
		"rootfs": map[string]any{"type": "layers", "diff_ids": ids},
	})
	if err != nil {
		t.Fatal(err)
	}
	if squeeze {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		w.Write(two)
		w.Close()
		two = b.Bytes()
	}
	name := digest.Of(config).Hex() + ".json"
	manifest, err := json.Marshal([]map[string]any{{
		"Config": name, "RepoTags": []string{"app:1", "app:latest"}, "Layers": []string{"aa/layer.tar", "bb/layer.tar", "cc/layer.tar"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	return []entry{
		{name: "aa/VERSION", body: "1.0"}, {name: "aa/json", body: "{}"}, {name: "aa/layer.tar", body: string(one)},
		{name: "bb/layer.tar", body: string(two)}, {name: "cc/layer.tar", link: "../aa/layer.tar"},
		{name: name, body: string(config)}, {name: "manifest.json", body: string(manifest)},
		{name: "repositories", body: `{"app":{"latest":"cc"}}`},
	}, ids
}

func TestOldDockerArchiveIsRead(t *testing.T) {
	for _, squeeze := range []bool{false, true} {
		entries, ids := oldDocker(t, squeeze)
		a := read(t, makeTar(t, entries))
		var d image.Descriptor
		for _, name := range []string{"app:1", "app", "library/app:latest", ""} {
			var err error
			if d, err = a.Resolve(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			same(t, a, name, d)
		}
		img, err := image.Find(t.Context(), a, d, &image.Platform{OS: "linux", Architecture: "amd64"})
		if err != nil {
			t.Fatal(err)
		}
		for i, l := range img.Layers() {
			rc, err := img.OpenLayer(t.Context(), l)
			if err != nil {
				t.Fatal(err)
			}
			z, err := compress.NewReader(rc, compress.Limits{})
			if err != nil {
				t.Fatal(err)
			}
			h := digest.NewHasher()
			if _, err := io.Copy(h, z); err != nil || h.Digest() != ids[i] {
				t.Errorf("layer %d is %s, %v; want %s", i, h.Digest(), err, ids[i])
			}
			rc.Close()
		}
		if !bytes.Contains(img.Config().Bytes(), []byte("docker_version")) {
			t.Error("docker's members are lost")
		}
	}
}

func TestArchiveIsReadFromFileStreamAndCompressed(t *testing.T) {
	var m imagetest.Memory
	d := imagetest.Simple(t, &m)
	plain := write(t, archive.WriteOCI, &m, item(d, "x"))
	for _, kind := range []compress.Kind{compress.None, compress.Gzip, compress.Zstd} {
		var b bytes.Buffer
		w, err := compress.NewWriter(&b, kind)
		if err != nil {
			t.Fatal(err)
		}
		w.Write(plain)
		w.Close()
		same(t, read(t, b.Bytes()), "x", d)

		path, temp := filepath.Join(t.TempDir(), "a"), t.TempDir()
		if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		a, err := archive.Open(path, archive.ReadOptions{TempDir: temp})
		if err != nil {
			t.Fatal(err)
		}
		same(t, a, "x", d)
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		if left, _ := os.ReadDir(temp); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	}
}

func TestHostileArchivesAreErrors(t *testing.T) {
	entries, _ := oldDocker(t, false)
	replace := func(name string, e entry) []byte {
		out := append([]entry(nil), entries...)
		for i := range out {
			if out[i].name == name {
				out[i] = e
			}
		}
		return makeTar(t, out)
	}
	loop := replace("cc/layer.tar", entry{name: "cc/layer.tar", link: "../cc/layer.tar"})
	for name, c := range map[string]struct {
		in   []byte
		want error
	}{
		"empty":             {nil, archive.ErrNotArchive},
		"no images":         {makeTar(t, []entry{{name: "a"}}), archive.ErrNotArchive},
		"leads out":         {makeTar(t, []entry{{name: "../a"}}), archive.ErrNotArchive},
		"absolute":          {makeTar(t, []entry{{name: "/a"}}), archive.ErrNotArchive},
		"link leads out":    {makeTar(t, []entry{{name: "a", link: "../../b"}}), archive.ErrNotArchive},
		"link loop":         {loop, fs.ErrNotExist},
		"not a tar":         {[]byte(strings.Repeat("no tar ", 1000)), archive.ErrNotArchive},
		"manifest no list":  {replace("manifest.json", entry{name: "manifest.json", body: "{}"}), archive.ErrNotArchive},
		"config elsewhere":  {replace("manifest.json", entry{name: "manifest.json", body: `[{"Config":"../../etc/passwd","Layers":[]}]`}), fs.ErrNotExist},
		"too few layers":    {replace("manifest.json", entry{name: "manifest.json", body: `[{"Config":"` + entries[5].name + `","Layers":[]}]`}), image.ErrInvalid},
		"config of another": {replace(entries[5].name, entry{name: entries[5].name, body: "{}"}), digest.ErrMismatch},
	} {
		a, err := archive.Read(bytes.NewReader(c.in), archive.ReadOptions{TempDir: t.TempDir()})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err == nil {
			a.Close()
		}
	}
}

func TestTruncatedArchiveIsAnErrorAtEveryBlock(t *testing.T) {
	var m imagetest.Memory
	d := imagetest.Image(t, &m, image.HostPlatform(), image.AssembleOptions{}, imagetest.Layer(t, &m, imagetest.Tar(t, "b", 1000), compress.Gzip))
	whole := write(t, archive.WriteOCI, &m, item(d, "x"))
	for n := 0; n < len(whole)-1024-512; n += 100 {
		a, err := archive.Read(bytes.NewReader(whole[:n]), archive.ReadOptions{TempDir: t.TempDir()})
		if err == nil {
			err = image.Copy(t.Context(), &imagetest.Memory{}, a, d, "x", image.CopyOptions{})
			a.Close()
		}
		if err == nil {
			t.Errorf("cut after %d of %d bytes: no error", n, len(whole))
		}
	}
}

func TestFlippedLayerIsAnError(t *testing.T) {
	entries, _ := oldDocker(t, false)
	body := []byte(entries[2].body)
	body[len(body)/2] ^= 1
	entries[2].body = string(body)
	a := read(t, makeTar(t, entries))
	d, err := a.Resolve(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if err := image.Copy(t.Context(), &imagetest.Memory{}, a, d, "x", image.CopyOptions{}); !errors.Is(err, digest.ErrMismatch) {
		t.Error(err)
	}
}

func TestAFileHasTheRightsThatTheUmaskLeaves(t *testing.T) {
	before := syscall.Umask(0o027)
	defer syscall.Umask(before)
	path := filepath.Join(t.TempDir(), "image")
	if err := archive.CreateFile(path, func(io.Writer) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode() != 0o640 {
		t.Errorf("%v %v", st.Mode(), err)
	}
}

func TestFileIsMadeWhollyOrNotAtAll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	if err := archive.CreateFile(path, func(w io.Writer) error { _, err := io.WriteString(w, "old"); return err }); err != nil {
		t.Fatal(err)
	}
	failed := errors.New("failed")
	if err := archive.CreateFile(path, func(w io.Writer) error { io.WriteString(w, "half"); return failed }); err != failed {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "old" {
		t.Errorf("%q, %v", b, err)
	}
	if left, _ := os.ReadDir(filepath.Dir(path)); len(left) != 1 {
		t.Error(left)
	}
	if err := archive.CreateFile(os.DevNull, func(w io.Writer) error { return nil }); err != nil {
		t.Error(err)
	}
}

func skopeo(t *testing.T, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("skopeo"); err != nil {
		t.Skip("no skopeo in PATH")
	}
	cmd := exec.Command("skopeo", append([]string{"--insecure-policy"}, args...)...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("skopeo %v: %v: %s", args, err, errs.String())
	}
	return string(out)
}

func TestSkopeoAndWeReadEachOther(t *testing.T) {
	var m imagetest.Memory
	d := imagetest.Simple(t, &m)
	img, err := image.Find(t.Context(), &m, d, nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	file := func(name string, f writer, tag string) {
		err := archive.CreateFile(in(name), func(w io.Writer) error {
			return f(t.Context(), w, &m, []archive.Item{item(d, tag)}, archive.WriteOptions{})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	file("ours.oci", archive.WriteOCI, "tag")
	file("ours.docker", archive.WriteDocker, "app:1")
	for _, from := range []string{"oci-archive:" + in("ours.oci") + ":tag", "docker-archive:" + in("ours.docker") + ":app:1"} {
		skopeo(t, "inspect", from)
		for i, to := range []string{"oci-archive:" + in("x.oci") + ":t", "docker-archive:" + in("x.docker") + ":app:2", "oci:" + in("x.layout") + ":t"} {
			os.RemoveAll(in([]string{"x.oci", "x.docker", "x.layout"}[i]))
			skopeo(t, "copy", from, to)
		}
		l, err := layout.Open(in("x.layout"))
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		o, err := archive.Open(in("x.oci"), archive.ReadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer o.Close()
		k, err := archive.Open(in("x.docker"), archive.ReadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer k.Close()
		for name, src := range map[string]image.Source{"t": l, "": o, "app:2": k} {
			got, err := src.Resolve(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			back, err := image.Find(t.Context(), src, got, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i, l := range back.Layers() {
				if l.DiffID != img.Layers()[i].DiffID {
					t.Errorf("%s: layer %d differs", from, i)
				}
			}
			same(t, src, name, got)
		}
	}
}

func FuzzRead(f *testing.F) {
	entries, _ := oldDocker(f, true)
	f.Add(makeTar(f, entries))
	var m imagetest.Memory
	d := imagetest.Image(f, &m, image.HostPlatform(), image.AssembleOptions{}, imagetest.Layer(f, &m, imagetest.Tar(f, "b", 10), compress.Gzip))
	f.Add(write(f, archive.WriteDocker, &m, item(d, "x")))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := archive.Read(bytes.NewReader(b), archive.ReadOptions{TempDir: t.TempDir(), MaxBytes: 1 << 20})
		if err != nil {
			return
		}
		defer a.Close()
		for _, d := range a.Index().Manifests {
			image.Copy(t.Context(), &imagetest.Memory{}, a, d, "x", image.CopyOptions{})
		}
	})
}

func ExampleWriteOCI() {
	c := image.NewConfig(image.Platform{OS: "linux", Architecture: "amd64"})
	made, err := image.Assemble(c, nil, image.AssembleOptions{})
	if err != nil {
		panic(err)
	}
	var b bytes.Buffer
	items := []archive.Item{{Descriptor: made.Descriptor, Name: "empty"}}
	if err := archive.WriteOCI(context.Background(), &b, image.Stage(nil, made.Blobs), items, archive.WriteOptions{}); err != nil {
		panic(err)
	}
	a, err := archive.Read(&b, archive.ReadOptions{})
	if err != nil {
		panic(err)
	}
	defer a.Close()
	d, err := a.Resolve(context.Background(), "empty")
	fmt.Println(d.Digest == made.Descriptor.Digest, err)
	// Output: true <nil>
}
