package embedded_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/image/imagetest"
	"github.com/inlaybuild/inlay/internal/compress"
)

// refused imports what must be refused, with one error in one line.
func refused(t testing.TB, e *embedded.Engine, what, source string) {
	t.Helper()
	_, err := e.Import(t.Context(), place(t, source), "bad", embedded.ImportOptions{})
	if err == nil {
		t.Errorf("%s: it was imported", what)
		return
	}
	if strings.ContainsAny(err.Error(), "\n\x00") || !strings.HasPrefix(err.Error(), "import ") {
		t.Errorf("%s: error %q", what, err)
	}
	if images, err := e.Images(t.Context()); err != nil || len(images) != 0 {
		t.Errorf("%s: the store has %+v, %v", what, images, err)
	}
	if left, _ := filepath.Glob(filepath.Join(e.Store().Dir(), "ingest/*")); len(left) > 0 {
		t.Errorf("%s: left %s", what, left)
	}
}

func TestDamagedLayersAreRefusedAndLeaveNothing(t *testing.T) {
	for _, kind := range []compress.Kind{compress.None, compress.Gzip, compress.Zstd} {
		t.Run(kind.String(), func(t *testing.T) {
			var m imagetest.Memory
			l := imagetest.Layer(t, &m, imagetest.Tar(t, "f", 3000), kind)
			dir := onDisk(t, &m, imagetest.Image(t, &m, image.HostPlatform(), image.AssembleOptions{}, l))
			blob := filepath.Join(dir, "blobs/sha256", l.Digest.Hex())
			good, err := os.ReadFile(blob)
			if err != nil {
				t.Fatal(err)
			}
			os.Chmod(blob, 0o644)
			e := open(t, embedded.Options{})
			write := func(b []byte) {
				if err := os.WriteFile(blob, b, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			step := max(1, len(good)/60)
			for at := 0; at < len(good); at += step {
				bad := bytes.Clone(good)
				bad[at] ^= 1 << (at % 8)
				write(bad)
				refused(t, e, "a bit flipped", "oci:"+dir)
				write(good[:at])
				refused(t, e, "cut off", "oci:"+dir)
			}
			write(append(bytes.Clone(good), 0))
			refused(t, e, "too long", "oci:"+dir)
			if err := os.Remove(blob); err != nil {
				t.Fatal(err)
			}
			refused(t, e, "not there", "oci:"+dir)
			sound(t, e)
			write(good)
			importAs(t, e, "oci:"+dir, "good", embedded.ImportOptions{})
			sound(t, e)
		})
	}
}

func TestImagesThatLieAreRefused(t *testing.T) {
	content := imagetest.Tar(t, "f", 3000)
	make := func(change func(m *imagetest.Memory, l *image.Layer)) string {
		var m imagetest.Memory
		l := imagetest.Layer(t, &m, content, compress.Gzip)
		change(&m, &l)
		return "oci:" + onDiskRaw(t, &m, imagetest.Image(t, &m, image.HostPlatform(), image.AssembleOptions{}, l), l)
	}
	e := open(t, embedded.Options{})
	// The good layer is there already: it must not hide what is wrong.
	var m imagetest.Memory
	l := imagetest.Layer(t, &m, content, compress.Gzip)
	importAs(t, e, "oci:"+onDisk(t, &m, imagetest.Image(t, &m, image.HostPlatform(), image.AssembleOptions{}, l)), "x", embedded.ImportOptions{})
	if err := e.Remove(t.Context(), "x"); err != nil {
		t.Fatal(err)
	}
	refused(t, e, "wrong diff id", make(func(_ *imagetest.Memory, l *image.Layer) { l.DiffID = digest.Of([]byte("other")) }))
	refused(t, e, "wrong size", make(func(_ *imagetest.Memory, l *image.Layer) { l.Size++ }))
	refused(t, e, "wrong media type", make(func(_ *imagetest.Memory, l *image.Layer) { l.MediaType = "text/plain" }))
	for name, h := range map[string]tar.Header{
		"up and out":        {Name: "../../x", Typeflag: tar.TypeReg},
		"whiteout of up":    {Name: "a/.wh...", Typeflag: tar.TypeReg},
		"whiteout of here":  {Name: "a/.wh..", Typeflag: tar.TypeReg},
		"hardlink to out":   {Name: "a", Typeflag: tar.TypeLink, Linkname: "../../etc/passwd"},
		"hardlink to none":  {Name: "a", Typeflag: tar.TypeLink, Linkname: "none"},
		"uid 2^32-1":        {Name: "a", Typeflag: tar.TypeReg, Uid: 1<<32 - 1, Format: tar.FormatPAX},
		"gid 2^32":          {Name: "a", Typeflag: tar.TypeReg, Gid: 1 << 32, Format: tar.FormatPAX},
		"a name of 256":     {Name: strings.Repeat("n", 256), Typeflag: tar.TypeReg, Format: tar.FormatPAX},
		"an unknown kind":   {Name: "a", Typeflag: 'Z'},
		"below a dead file": {Name: "f/\x00", Typeflag: tar.TypeReg, Format: tar.FormatGNU},
	} {
		refused(t, e, name, "oci:"+layerOf(t, h))
	}
	bomb := open(t, embedded.Options{Limits: embedded.Limits{MaxBytes: 1 << 20}})
	refused(t, bomb, "a bomb", "oci:"+layerOf(t, tar.Header{Name: "zeros", Typeflag: tar.TypeReg, Size: 64 << 20}))
	sound(t, e)
	sound(t, bomb)
}

// onDiskRaw is onDisk for an image that would not be copied, because it lies of
// its layer.
func onDiskRaw(t testing.TB, m *imagetest.Memory, d image.Descriptor, l image.Layer) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "layout")
	if err := os.MkdirAll(filepath.Join(dir, "blobs/sha256"), 0o755); err != nil {
		t.Fatal(err)
	}
	put := func(d image.Descriptor) []byte {
		rc, err := m.Open(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		defer rc.Close()
		var b bytes.Buffer
		b.ReadFrom(rc) // an error is that it lies
		if err := os.WriteFile(filepath.Join(dir, "blobs/sha256", d.Digest.Hex()), b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	body := put(d)
	var manifest struct{ Config image.Descriptor }
	if err := json.Unmarshal(body, &manifest); err != nil {
		t.Fatal(err)
	}
	put(manifest.Config)
	put(l.Descriptor)
	index, err := json.Marshal(image.Index{SchemaVersion: 2, Manifests: []image.Descriptor{d}})
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"index.json": index, "oci-layout": []byte(`{"imageLayoutVersion":"1.0.0"}`)} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// layerOf gives a layout of an image with one entry.
func layerOf(t testing.TB, h tar.Header) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(&h); err != nil {
		// What the standard library will not write is written past it.
		b.Reset()
		h.Name = strings.ReplaceAll(h.Name, "\x00", "x")
		w = tar.NewWriter(&b)
		f := tar.Header{Name: "f", Typeflag: tar.TypeReg}
		if err := w.WriteHeader(&f); err != nil {
			t.Fatal(err)
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Write(make([]byte, h.Size)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var m imagetest.Memory
	l := imagetest.Layer(t, &m, b.Bytes(), compress.Gzip)
	return onDisk(t, &m, imagetest.Image(t, &m, image.HostPlatform(), image.AssembleOptions{}, l))
}

func TestThingsThatAreNoImagesAreRefused(t *testing.T) {
	dir := t.TempDir()
	write := func(name, content string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		return p
	}
	e := open(t, embedded.Options{})
	text := write("text", strings.Repeat("this is not a tar\n", 100))
	for _, source := range []string{
		"oci:" + dir, "oci:" + dir + "/none", "oci-archive:" + text, "docker-archive:" + text, "tar:" + text, "dir:" + text,
		"tar:" + dir + "/none", "tar:" + write("half.gz", "\x1f\x8b\x08\x00\x00\x00"), "oci-archive:" + write("empty", ""), "sha256:" + strings.Repeat("0", 64), "sha256:12",
	} {
		refused(t, e, source, source)
	}
	for _, name := range []string{"", "oci:x", "a\nb", "scratch", "sha256:1"} {
		if _, err := e.Import(t.Context(), place(t, "scratch"), name, embedded.ImportOptions{}); err == nil {
			t.Errorf("the name %q was taken", name)
		}
	}
	sound(t, e)
}
