package imagetest

import (
	"archive/tar"
	"bytes"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/internal/compress"
)

// Tar makes a tar of one file of size bytes that do not compress, the same for
// the same arguments.
func Tar(t testing.TB, name string, size int) []byte {
	t.Helper()
	body := make([]byte, size)
	seed := [32]byte{byte(size), byte(size >> 8)}
	copy(seed[2:], name)
	rand.NewChaCha8(seed).Read(body)
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range []*tar.Header{
		{Typeflag: tar.TypeDir, Name: "etc/", Mode: 0o755, ModTime: time.Unix(0, 0)},
		{Typeflag: tar.TypeReg, Name: "etc/" + name, Mode: 0o644, Size: int64(size), ModTime: time.Unix(0, 0)},
	} {
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Layer puts a layer of that tar into m.
func Layer(t testing.TB, m *Memory, content []byte, kind compress.Kind) image.Layer {
	t.Helper()
	var b bytes.Buffer
	w, err := compress.NewWriter(&b, kind)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(w, bytes.NewReader(content)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	mediaType := map[compress.Kind]string{
		compress.None: image.MediaTypeLayer, compress.Gzip: image.MediaTypeLayerGzip, compress.Zstd: image.MediaTypeLayerZstd,
	}[kind]
	return image.Layer{Descriptor: m.Add(mediaType, b.Bytes()), DiffID: digest.Of(content)}
}

// Image puts an image with those layers into m.
func Image(t testing.TB, m *Memory, p image.Platform, opt image.AssembleOptions, layers ...image.Layer) image.Descriptor {
	t.Helper()
	c, err := image.NewConfig(p).WithRun(image.RunConfig{Env: []string{"PATH=/bin"}, Cmd: []string{"/bin/sh"}})
	for i, l := range layers {
		if err != nil {
			t.Fatal(err)
		}
		at := time.Unix(int64(i), 0).UTC()
		c, err = c.Append(l.DiffID, image.History{Created: &at, CreatedBy: "layer"})
	}
	if err != nil {
		t.Fatal(err)
	}
	made, err := image.Assemble(c, layers, opt)
	if err != nil {
		t.Fatal(err)
	}
	m.Add(made.Manifest.Config.MediaType, made.Blobs[made.Manifest.Config.Digest])
	m.Add(made.Descriptor.MediaType, made.Blobs[made.Descriptor.Digest])
	return made.Descriptor
}

// Simple puts an image for this host with three layers, plain, gzip and gzip,
// into m.
func Simple(t testing.TB, m *Memory) image.Descriptor {
	t.Helper()
	return Image(t, m, image.HostPlatform(), image.AssembleOptions{},
		Layer(t, m, Tar(t, "one", 10_000), compress.None),
		Layer(t, m, Tar(t, "two", 100_000), compress.Gzip),
		Layer(t, m, Tar(t, "three", 3_000_000), compress.Gzip))
}

// Multi puts an index of two platforms, with an attestation, into m.
func Multi(t testing.TB, m *Memory) image.Descriptor {
	t.Helper()
	shared := Layer(t, m, Tar(t, "shared", 5000), compress.Gzip)
	x := image.Index{MediaType: image.MediaTypeIndex}
	for _, p := range []image.Platform{
		{OS: "linux", Architecture: "amd64"},
		{OS: "linux", Architecture: "arm", Variant: "v6"},
		{OS: "linux", Architecture: "arm", Variant: "v7"},
	} {
		own := Layer(t, m, Tar(t, p.Architecture+p.Variant, 5000), compress.Gzip)
		x.Manifests = append(x.Manifests, Image(t, m, p, image.AssembleOptions{}, shared, own))
	}
	// BuildKit's attestations are manifests of an in-toto layer.
	att := image.Manifest{
		MediaType: image.MediaTypeManifest,
		Config:    m.Add(image.MediaTypeConfig, []byte(`{"architecture":"unknown","os":"unknown"}`)),
		Layers:    []image.Descriptor{m.Add("application/vnd.in-toto+json", []byte(`{"_type":"statement"}`))},
	}
	body, err := att.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	d := m.Add(image.MediaTypeManifest, body).WithAnnotation("vnd.docker.reference.type", "attestation-manifest")
	d.Platform = &image.Platform{OS: "unknown", Architecture: "unknown"}
	x.Manifests = append(x.Manifests, d)
	if body, err = x.Bytes(); err != nil {
		t.Fatal(err)
	}
	return m.Add(image.MediaTypeIndex, body)
}
