package layer_test

import (
	"bytes"
	"testing"

	"github.com/inlaybuild/inlay/internal/layer"
)

// What GNU tar and bsdtar write is read as the tree that they found.
func TestTarsOfOthersAreReadAsTheirTree(t *testing.T) {
	needRoot(t)
	gnu := []string{"--numeric-owner", "--xattrs", "--xattrs-include=*"}
	full := sample{nanoseconds: true, longNames: true, xattrs: true, devices: true, bigIDs: true, sparse: true, odd: true, escaped: true}
	for name, c := range map[string]struct {
		tool string
		args []string
		has  sample
	}{
		"gnu posix":           {"tar", append(gnu, "--format=posix"), full},
		"gnu posix sparse":    {"tar", append(gnu, "--format=posix", "--sparse"), full},
		"gnu posix sparse0.0": {"tar", append(gnu, "--format=posix", "--sparse", "--sparse-version=0.0"), full},
		"gnu posix sparse0.1": {"tar", append(gnu, "--format=posix", "--sparse", "--sparse-version=0.1"), full},
		"gnu gnu":             {"tar", []string{"--numeric-owner", "--format=gnu", "--sparse"}, sample{longNames: true, devices: true, bigIDs: true, sparse: true, odd: true}},
		"gnu oldgnu":          {"tar", []string{"--numeric-owner", "--format=oldgnu", "--sparse"}, sample{longNames: true, devices: true, bigIDs: true, sparse: true, odd: true}},
		"gnu ustar":           {"tar", []string{"--numeric-owner", "--format=ustar"}, sample{devices: true, odd: true}},
		"gnu v7":              {"tar", []string{"--numeric-owner", "--format=v7"}, sample{}},
		"bsd pax":             {"bsdtar", []string{"--numeric-owner", "--xattrs", "--no-acls", "--no-fflags", "--format=pax"}, full},
		"bsd gnutar":          {"bsdtar", []string{"--numeric-owner", "--no-xattrs", "--no-acls", "--no-fflags", "--format=gnutar"}, sample{longNames: true, devices: true, bigIDs: true, odd: true}},
		"bsd ustar":           {"bsdtar", []string{"--numeric-owner", "--no-xattrs", "--no-acls", "--no-fflags", "--format=ustar"}, sample{devices: true, odd: true}},
	} {
		t.Run(name, func(t *testing.T) {
			needTool(t, c.tool)
			root := makeSample(t, c.has)
			want := listDisk(t, root)
			b := run(t, nil, c.tool, append(c.args, "-C", root, "-cf", "-", ".")...)
			m := newMemory()
			got, _, err := layer.ReadTree(t.Context(), bytes.NewReader(b), layer.ReadOptions{Blobs: m})
			if err != nil {
				t.Fatal(err)
			}
			same(t, want, listTree(t, m, got))
		})
	}
}

// What WriteTree writes is unpacked by GNU tar and bsdtar as the tree.
func TestTreesAreUnpackedByOthers(t *testing.T) {
	needRoot(t)
	needTool(t, "tar")
	root := makeSample(t, sample{nanoseconds: true, longNames: true, xattrs: true, devices: true, bigIDs: true, sparse: true, odd: true})
	m := newMemory()
	b := run(t, nil, "tar", "--numeric-owner", "--xattrs", "--xattrs-include=*", "--format=posix", "-C", root, "-cf", "-", ".")
	tr, _, err := layer.ReadTree(t.Context(), bytes.NewReader(b), layer.ReadOptions{Blobs: m})
	if err != nil {
		t.Fatal(err)
	}
	want := listDisk(t, root)
	var ours bytes.Buffer
	if _, err := layer.WriteTree(t.Context(), &ours, tr, layer.WriteOptions{Open: m.Open}); err != nil {
		t.Fatal(err)
	}
	// Bsdtar reads no escapes in the names of extended attributes.
	for name, args := range map[string][]string{
		"tar":    {"--numeric-owner", "--xattrs", "--xattrs-include=*", "-p", "--same-owner", "-xf", "-", "-C"},
		"bsdtar": {"--numeric-owner", "--xattrs", "-p", "--same-owner", "-xf", "-", "-C"},
	} {
		t.Run(name, func(t *testing.T) {
			needTool(t, name)
			to := t.TempDir()
			run(t, ours.Bytes(), name, append(args, to)...)
			same(t, withoutRoot(want), withoutRoot(listDisk(t, to))) // bsdtar leaves the time of the root
		})
	}
}
