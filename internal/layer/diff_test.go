package layer_test

import (
	"bytes"
	"regexp"
	"testing"

	"github.com/containerd/containerd/v2/pkg/archive"
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
	for dir, tr := range map[string]tree.Tree{a: lower, b: upper} {
		var w bytes.Buffer
		if _, err := layer.WriteTree(t.Context(), &w, tr, layer.WriteOptions{Open: m.Open}); err != nil {
			t.Fatal(err)
		}
		run(t, w.Bytes(), "tar", "--numeric-owner", "--xattrs", "--xattrs-include=*", "-p", "--same-owner", "-xf", "-", "-C", dir)
	}
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
