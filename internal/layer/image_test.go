package layer_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/layer"
	"github.com/inlaybuild/inlay/tree"
)

// makeImage makes an OCI layout of the layers, tagged x, in a directory.
func makeImage(t *testing.T, image string, layers [][]byte) {
	needTool(t, "umoci")
	type object = map[string]any
	blob := func(kind string, b []byte) object {
		d := digest.Of(b)
		p := filepath.Join(image, "blobs/sha256", d.Hex())
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, b, 0o644); err != nil {
			t.Fatal(err)
		}
		return object{"mediaType": "application/vnd.oci.image." + kind, "digest": d.String(), "size": len(b)}
	}
	encode := func(v any) []byte {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	var descs []object
	var diffs []string
	for _, l := range layers {
		descs = append(descs, blob("layer.v1.tar", l))
		diffs = append(diffs, digest.Of(l).String())
	}
	config := blob("config.v1+json", encode(object{"architecture": "amd64", "os": "linux", "config": object{},
		"rootfs": object{"type": "layers", "diff_ids": diffs}}))
	manifest := blob("manifest.v1+json", encode(object{"schemaVersion": 2, "config": config, "layers": descs}))
	manifest["annotations"] = object{"org.opencontainers.image.ref.name": "x"}
	for name, v := range map[string]any{
		"index.json": object{"schemaVersion": 2, "manifests": []object{manifest}},
		"oci-layout": object{"imageLayoutVersion": "1.0.0"},
	} {
		if err := os.WriteFile(filepath.Join(image, name), encode(v), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func writeLayer(t testing.TB, m *memory, cs tree.ChangeSet, base *tree.Tree) []byte {
	t.Helper()
	var b bytes.Buffer
	if _, err := layer.Write(t.Context(), &b, cs, layer.WriteOptions{Open: m.Open, Base: base}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// whole is the change set that makes t of nothing.
func whole(t tree.Tree) tree.ChangeSet {
	a := t.Attr()
	d := &tree.DirChange{Attr: &a}
	for c, err := range t.All(context.TODO()) {
		if err != nil {
			panic(err)
		}
		d.Set(c.Name, tree.Put{Entry: c.Entry})
	}
	links, err := t.Links(context.TODO())
	if err != nil {
		panic(err)
	}
	return tree.ChangeSet{Root: d, Links: links}
}

func readSample(t testing.TB, m *memory, s sample) tree.Tree {
	t.Helper()
	needRoot(t)
	needTool(t, "tar")
	root := makeSample(t, s)
	b := run(t, nil, "tar", "--numeric-owner", "--xattrs", "--xattrs-include=*", "--format=posix", "-C", root, "-cf", "-", ".")
	tr, _, err := layer.ReadTree(t.Context(), bytes.NewReader(b), layer.ReadOptions{Blobs: m})
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// someChanges has every kind of change to a sample.
func someChanges(m *memory) tree.ChangeSet {
	time := tree.Time{Sec: 1_700_000_000, Nsec: 123_456_789}
	file := func(content string) tree.File {
		d, n, _ := m.PutBytes(context.TODO(), []byte(content))
		x := tree.NewXattrs(map[string]string{"user.content": content})
		return tree.File{Attributes: tree.Attr{Mode: 0o4711, UID: 3, GID: 4, ModTime: time, Xattrs: x}, Size: n, Content: d}
	}
	dirAttr := &tree.Attr{Mode: 0o1750, UID: 9, GID: 10, ModTime: tree.Time{Sec: 1_650_000_000, Nsec: 1}}
	dir := func(a *tree.Attr, names map[string]tree.Change) *tree.DirChange {
		d := &tree.DirChange{Attr: a}
		for name, c := range names {
			d.Set(name, c)
		}
		return d
	}
	emptied := dir(dirAttr, map[string]tree.Change{"f": tree.Put{Entry: file("in an opaque directory")}})
	emptied.Opaque = true
	linked := file("linked")
	return tree.ChangeSet{
		Root: dir(nil, map[string]tree.Change{
			"usr": dir(nil, map[string]tree.Change{
				"bin":   dir(nil, map[string]tree.Change{"tool": tree.Remove{}, "tool2": tree.Put{Entry: file("tool2")}}),
				"new":   tree.Put{Entry: file("new")},
				"h2":    tree.Put{Entry: linked},
				"share": tree.Put{Entry: tree.Empty().With(*dirAttr)},
			}),
			"ü":         emptied,
			"bin":       dir(dirAttr, map[string]tree.Change{"sh": tree.Put{Entry: file("sh")}}),
			"owned":     dir(dirAttr, nil),
			"dangling":  tree.Remove{},
			"nothing":   tree.Remove{},
			"large":     tree.Put{Entry: tree.Symlink{Attributes: tree.Attr{Mode: 0o777, ModTime: time}, Target: "usr"}},
			"n\nl":      tree.Put{Entry: file("over a directory")},
			"block":     tree.Put{Entry: file("leaves its group")},
			"fifo":      tree.Put{Entry: tree.Device{Attributes: tree.Attr{Mode: 0o600, ModTime: time}, Major: 1, Minor: 5}},
			"tmp":       tree.Put{Entry: tree.Fifo{Attributes: tree.Attr{Mode: 0o640, UID: 1, ModTime: time}}},
			"h1":        tree.Put{Entry: linked},
			"null-link": tree.Put{Entry: tree.Symlink{Attributes: tree.Attr{Mode: 0o777, ModTime: time}, Target: "null"}},
		}),
		Links: [][]string{{"/h1", "/usr/h2"}},
	}
}

// without gives the lines that start with none of the prefixes.
func without(lines []string, prefixes ...string) []string {
	return slices.DeleteFunc(slices.Clone(lines), func(l string) bool {
		return slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(l, p) })
	})
}

func withoutRoot(lines []string) []string { return without(lines, `"/" `) }
