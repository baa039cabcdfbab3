package layer_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/containerd/containerd/v2/pkg/archive"
	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/compress"
	"github.com/inlaybuild/inlay/internal/layer"
	"github.com/inlaybuild/inlay/tree"
)

// A layer that containerd and BuildKit write of two directories, read and
// applied to the first, gives the second.
func TestDiffsOfContainerdAreReadAsTheirDifference(t *testing.T) {
	m := newMemory()
	s := sample{nanoseconds: true, longNames: true, xattrs: true, devices: true, bigIDs: true}
	lower := readSample(t, m, s)
	changes := someChanges(m)
	upper, err := apply(t.Context(), lower, changes)
	if err != nil {
		t.Fatal(err)
	}
	a, b := t.TempDir(), t.TempDir()
	unpackTree(t, m, lower, a)
	unpackTree(t, m, upper, b)
	var w bytes.Buffer
	if err := archive.WriteDiff(t.Context(), &w, a, b); err != nil {
		t.Fatal(err)
	}
	cs, _, err := layer.Read(t.Context(), &w, layer.ReadOptions{Blobs: m})
	if err != nil {
		t.Fatal(err)
	}
	got, err := apply(t.Context(), lower, cs)
	if err != nil {
		t.Fatal(err)
	}
	want := listDisk(t, b)
	same(t, rounded(want), rounded(listTree(t, m, got)))
}

func unpackTree(t *testing.T, m *memory, tr tree.Tree, dir string) {
	t.Helper()
	var w bytes.Buffer
	if _, err := layer.WriteTree(t.Context(), &w, tr, layer.WriteOptions{Open: m.Open}); err != nil {
		t.Fatal(err)
	}
	run(t, w.Bytes(), "tar", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-p", "--same-owner", "-xf", "-", "-C", dir)
}

// A layer that umoci writes of a changed root is read as its changes.
func TestLayersOfUmociAreReadAsTheirDifference(t *testing.T) {
	m := newMemory()
	lower := readSample(t, m, sample{longNames: true, devices: true, bigIDs: true})
	changes := someChanges(m)
	upper, err := apply(t.Context(), lower, changes)
	if err != nil {
		t.Fatal(err)
	}
	image := t.TempDir()
	makeImage(t, image, [][]byte{writeLayer(t, m, whole(lower), nil)})
	bundle := filepath.Join(t.TempDir(), "bundle")
	run(t, nil, "umoci", "unpack", "--image", image+":x", bundle)
	root := filepath.Join(bundle, "rootfs")
	if err := os.RemoveAll(root); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(root, 0o755); err != nil {
		t.Fatal(err)
	}
	unpackTree(t, m, upper, root)
	run(t, nil, "umoci", "repack", "--image", image+":y", bundle)
	z := newestLayer(t, image)
	r, err := compress.NewReader(bytes.NewReader(z), compress.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	cs, _, err := layer.Read(t.Context(), r, layer.ReadOptions{Blobs: m})
	if err != nil {
		t.Fatal(err)
	}
	got, err := apply(t.Context(), lower, cs)
	if err != nil {
		t.Fatal(err)
	}
	same(t, rounded(listDisk(t, root)), rounded(listTree(t, m, got)))
}

// newestLayer gives the last layer of the image that is tagged y.
func newestLayer(t *testing.T, image string) []byte {
	type descriptor struct {
		Digest      digest.Digest
		Annotations map[string]string
	}
	var index struct{ Manifests []descriptor }
	var manifest struct{ Layers []descriptor }
	read := func(p string, v any) []byte {
		b, err := os.ReadFile(filepath.Join(image, p))
		if err != nil {
			t.Fatal(err)
		}
		if v != nil {
			if err := json.Unmarshal(b, v); err != nil {
				t.Fatal(err)
			}
		}
		return b
	}
	read("index.json", &index)
	for _, d := range index.Manifests {
		if d.Annotations["org.opencontainers.image.ref.name"] == "y" {
			read("blobs/sha256/"+d.Digest.Hex(), &manifest)
		}
	}
	return read("blobs/sha256/"+manifest.Layers[len(manifest.Layers)-1].Digest.Hex(), nil)
}

// The whole of a directory, as a layer of containerd's.
func TestLayersOfContainerdAreReadAsTheirTree(t *testing.T) {
	needRoot(t)
	root := makeSample(t, sample{nanoseconds: true, longNames: true, xattrs: true, devices: true, bigIDs: true})
	var w bytes.Buffer
	if err := archive.WriteDiff(t.Context(), &w, "", root); err != nil {
		t.Fatal(err)
	}
	m := newMemory()
	cs, _, err := layer.Read(t.Context(), &w, layer.ReadOptions{Blobs: m})
	if err != nil {
		t.Fatal(err)
	}
	got, err := apply(t.Context(), tree.Empty(), cs)
	if err != nil {
		t.Fatal(err)
	}
	same(t, rounded(listDisk(t, root)), rounded(listTree(t, m, got)))
}

var unwritten = regexp.MustCompile(`\.\d{9} \[.*\]`)

// rounded gives the lines without what containerd does not write: nanoseconds,
// most extended attributes, and the root.
func rounded(lines []string) []string {
	lines = withoutRoot(lines)
	for i, l := range lines {
		lines[i] = unwritten.ReplaceAllString(l, "")
	}
	return lines
}
