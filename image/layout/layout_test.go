package layout_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/image/imagetest"
	"github.com/inlaybuild/inlay/image/layout"
)

func create(t testing.TB, dir string) *layout.Layout {
	t.Helper()
	l, err := layout.Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func TestLayoutKeepsTheLaws(t *testing.T) {
	imagetest.Laws(t, func(t *testing.T) imagetest.Place { return create(t, t.TempDir()) })
}

// files gives the content of all files below dir.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(p)
		rel, _ := filepath.Rel(dir, p)
		out[rel] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAnyOrderOfCopiesGivesTheSameBytes(t *testing.T) {
	var m imagetest.Memory
	a, b := imagetest.Simple(t, &m), imagetest.Multi(t, &m)
	one, two := t.TempDir(), t.TempDir()
	for dir, steps := range map[string][]image.Descriptor{one: {a, b}, two: {b, a, b}} {
		l := create(t, dir)
		for _, d := range steps {
			if err := image.Copy(t.Context(), l, &m, d, "tag-"+d.Digest.Hex()[:4], image.CopyOptions{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	x, y := files(t, one), files(t, two)
	for name := range x {
		if strings.Contains(name, ".tmp") || x[name] != y[name] {
			t.Errorf("%s differs", name)
		}
	}
	if len(x) != len(y) {
		t.Errorf("%d files and %d", len(x), len(y))
	}
}

func TestWritersDoNotLoseEachOthersNames(t *testing.T) {
	dir := t.TempDir()
	var m imagetest.Memory
	d := imagetest.Simple(t, &m)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			l, err := layout.Create(dir)
			if err != nil {
				t.Error(err)
				return
			}
			defer l.Close()
			if err := image.Copy(t.Context(), l, &m, d, fmt.Sprint("t", i), image.CopyOptions{}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	l := create(t, dir)
	for i := range 20 {
		if _, err := l.Resolve(t.Context(), fmt.Sprint("t", i)); err != nil {
			t.Error(err)
		}
	}
}

func TestTheOnlyImageNeedsNoNameAndMoreAreListed(t *testing.T) {
	l := create(t, t.TempDir())
	var m imagetest.Memory
	a, b := imagetest.Simple(t, &m), imagetest.Multi(t, &m)
	if _, err := l.Resolve(t.Context(), ""); !errors.Is(err, image.ErrUnknownRef) {
		t.Fatal(err)
	}
	copyIn := func(d image.Descriptor, name string) {
		if err := image.Copy(t.Context(), l, &m, d, name, image.CopyOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	copyIn(a, "first")
	copyIn(a, "again")
	if d, err := l.Resolve(t.Context(), ""); err != nil || d.Digest != a.Digest {
		t.Fatal(d, err)
	}
	copyIn(b, "second")
	_, err := l.Resolve(t.Context(), "")
	if err == nil || !strings.Contains(err.Error(), "choose one of again, first, second") {
		t.Fatal(err)
	}
	if d, err := l.Resolve(t.Context(), b.Digest.String()); err != nil || d.Digest != b.Digest {
		t.Fatal(d, err)
	}
}

func TestANameOfTwoImagesIsRefused(t *testing.T) {
	dir := t.TempDir()
	l := create(t, dir)
	var m imagetest.Memory
	x := image.Index{MediaType: image.MediaTypeIndex}
	for _, d := range []image.Descriptor{imagetest.Simple(t, &m), imagetest.Multi(t, &m)} {
		x.Manifests = append(x.Manifests, d.WithAnnotation(image.AnnotationRefName, "x"))
	}
	b, err := x.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "index.json"), b, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Resolve(t.Context(), "x"); !errors.Is(err, image.ErrInvalid) {
		t.Error(err)
	}
}

func TestWhatIsNoLayoutIsRefused(t *testing.T) {
	write := func(name, content string) string {
		dir := t.TempDir()
		if name != "" {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return dir
	}
	for _, dir := range []string{
		write("", ""), write("file", "x"), write("oci-layout", `{"imageLayoutVersion":"2.0.0"}`),
		write("oci-layout", `{}`), write("oci-layout", "\x00"), write("oci-layout", strings.Repeat(" ", 5000)),
	} {
		if _, err := layout.Open(dir); err == nil {
			t.Errorf("%s opens", dir)
		}
	}
	if _, err := layout.Open(filepath.Join(t.TempDir(), "nosuch")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	for _, dir := range []string{write("file", "x"), write("oci-layout", `{"imageLayoutVersion":"2.0.0"}`)} {
		if _, err := layout.Create(dir); !errors.Is(err, layout.ErrNotLayout) {
			t.Errorf("created over something else: %v", err)
		}
	}
}

func TestBlobsOutsideAndSpecialFilesAreRefused(t *testing.T) {
	dir := t.TempDir()
	l := create(t, dir)
	secret := []byte("outside")
	outside := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(outside, secret, 0o600); err != nil {
		t.Fatal(err)
	}
	d := image.Describe(image.MediaTypeLayer, secret)
	blob := filepath.Join(dir, "blobs", "sha256", d.Digest.Hex())
	if err := os.Symlink(outside, blob); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Open(t.Context(), d); err == nil {
		t.Error("a symlink to outside was followed")
	}
	os.Remove(blob)
	if out, err := exec.Command("mkfifo", blob).CombinedOutput(); err != nil {
		t.Skipf("mkfifo: %s", out)
	}
	if _, err := l.Open(t.Context(), d); err == nil {
		t.Error("a fifo was opened")
	}
}

func TestDamagedBlobIsAnError(t *testing.T) {
	dir := t.TempDir()
	l := create(t, dir)
	var m imagetest.Memory
	d := imagetest.Simple(t, &m)
	if err := image.Copy(t.Context(), l, &m, d, "x", image.CopyOptions{}); err != nil {
		t.Fatal(err)
	}
	img, err := image.Find(t.Context(), l, d, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, layer := range img.Layers() {
		p := filepath.Join(dir, "blobs", "sha256", layer.Digest.Hex())
		good, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		flipped := bytes.Clone(good)
		flipped[len(good)/2] ^= 1
		for _, bad := range [][]byte{nil, good[:len(good)-1], append(bytes.Clone(good), 0), flipped} {
			if err := os.WriteFile(p, bad, 0o644); err != nil {
				t.Fatal(err)
			}
			rc, err := img.OpenLayer(t.Context(), layer)
			if err == nil {
				_, err = io.ReadFull(rc, make([]byte, layer.Size))
				rc.Close()
			}
			if !errors.Is(err, digest.ErrMismatch) {
				t.Errorf("%d of %d bytes: %v", len(bad), len(good), err)
			}
		}
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

func TestSkopeoReadsAndWritesTheSameLayout(t *testing.T) {
	ours, theirs := t.TempDir(), t.TempDir()
	var m imagetest.Memory
	l := create(t, ours)
	for name, d := range map[string]image.Descriptor{"a": imagetest.Simple(t, &m), "b": imagetest.Multi(t, &m)} {
		if err := image.Copy(t.Context(), l, &m, d, name, image.CopyOptions{}); err != nil {
			t.Fatal(err)
		}
		skopeo(t, "inspect", "oci:"+ours+":"+name)
		skopeo(t, "copy", "--all", "--preserve-digests", "oci:"+ours+":"+name, "oci:"+theirs+":"+name)
		back, err := layout.Open(theirs)
		if err != nil {
			t.Fatal(err)
		}
		defer back.Close()
		got, err := back.Resolve(t.Context(), name)
		if err != nil || got.Digest != d.Digest {
			t.Fatalf("%s is %s, %v; want %s", name, got.Digest, err, d.Digest)
		}
		if err := image.Copy(t.Context(), &imagetest.Memory{}, back, got, "", image.CopyOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

func TestUmociUnpacksWhatIsWritten(t *testing.T) {
	if _, err := exec.LookPath("umoci"); err != nil {
		t.Skip("no umoci in PATH")
	}
	if os.Getuid() != 0 {
		t.Skip("umoci unpacks as root only")
	}
	dir := t.TempDir()
	var m imagetest.Memory
	if err := image.Copy(t.Context(), create(t, dir), &m, imagetest.Simple(t, &m), "a", image.CopyOptions{}); err != nil {
		t.Fatal(err)
	}
	bundle := filepath.Join(t.TempDir(), "bundle")
	if out, err := exec.Command("umoci", "unpack", "--image", dir+":a", bundle).CombinedOutput(); err != nil {
		t.Fatalf("umoci: %v: %s", err, out)
	}
	for _, name := range []string{"one", "two", "three"} {
		if _, err := os.Stat(filepath.Join(bundle, "rootfs", "etc", name)); err != nil {
			t.Error(err)
		}
	}
}

func Example() {
	dir, err := os.MkdirTemp("", "layout")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	l, err := layout.Create(dir)
	if err != nil {
		panic(err)
	}
	defer l.Close()
	ctx := context.Background()
	made, err := image.Assemble(image.NewConfig(image.Platform{OS: "linux", Architecture: "amd64"}), nil, image.AssembleOptions{})
	if err != nil {
		panic(err)
	}
	if err := image.Copy(ctx, l, image.Stage(nil, made.Blobs), made.Descriptor, "empty", image.CopyOptions{}); err != nil {
		panic(err)
	}
	d, err := l.Resolve(ctx, "empty")
	fmt.Println(d.Digest == made.Descriptor.Digest, err)
	// Output: true <nil>
}

func TestARangeIsAPartOfABlob(t *testing.T) {
	l := create(t, t.TempDir())
	body := []byte("0123456789")
	d := image.Describe(image.MediaTypeLayer, body)
	if err := l.Push(t.Context(), d, func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }); err != nil {
		t.Fatal(err)
	}
	rc, err := l.OpenRange(t.Context(), d, 3, 4)
	if err != nil {
		t.Fatal(err)
	}
	defer rc.Close()
	if got, err := io.ReadAll(rc); string(got) != "3456" || err != nil {
		t.Errorf("%q %v", got, err)
	}
	if _, err := l.OpenRange(t.Context(), image.Describe(image.MediaTypeLayer, nil), 0, 1); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}
