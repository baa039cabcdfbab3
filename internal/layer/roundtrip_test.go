package layer_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/layer"
	"github.com/inlaybuild/inlay/tree"
	"pgregory.net/rapid"
)

// listing gives a change set as lines, one for each path and each group.
func listing(cs tree.ChangeSet) []string {
	var out []string
	var dir func(path string, d *tree.DirChange)
	dir = func(path string, d *tree.DirChange) {
		line := path + "/ keeps"
		if d.Attr != nil {
			line = fmt.Sprintf("%s/ %+v", path, *d.Attr)
		}
		if d.Opaque {
			line += " opaque"
		}
		out = append(out, line)
		for name, c := range d.All() {
			at := path + "/" + name
			switch c := c.(type) {
			case *tree.DirChange:
				dir(at, c)
			default:
				out = append(out, fmt.Sprintf("%s %T%+v", at, c, c))
			}
		}
	}
	if cs.Root != nil {
		dir("", cs.Root)
	}
	for _, g := range cs.Links {
		out = append(out, "links "+strings.Join(g, " "))
	}
	return out
}

func genAttr(t *rapid.T) tree.Attr {
	a := tree.Attr{
		Mode: tree.Mode(rapid.IntRange(0, 0o7777).Draw(t, "mode")),
		UID:  rapid.SampledFrom([]uint32{0, 1000, 1 << 21, math.MaxUint32 - 1}).Draw(t, "uid"),
		GID:  rapid.SampledFrom([]uint32{0, 5, 1<<21 - 1, math.MaxUint32 - 1}).Draw(t, "gid"),
		ModTime: tree.Time{
			Sec:  rapid.SampledFrom([]int64{0, 1, -1, 1 << 31, -1 << 33, 1 << 33, 1<<33 - 1, 253402300799, -62135596799}).Draw(t, "sec"),
			Nsec: rapid.SampledFrom([]uint32{0, 1, 999_999_999, 500_000_000}).Draw(t, "nsec"),
		},
	}
	names := rapid.SliceOfN(rapid.SampledFrom([]string{"user.a", "user.a=b", "user.%41 +/", "user.%3D%25%2525%253D=%", "security.capability", "user.ä\xff", "trusted.overlay.opaque"}), 0, 2).Draw(t, "xattrs")
	for _, n := range names {
		a.Xattrs = a.Xattrs.With(n, rapid.SampledFrom([]string{"", "v", "\x00\x01=\n", strings.Repeat("x", 600)}).Draw(t, "value"))
	}
	return a
}

var names = []string{"a", "b", "c", "A", "a.b", "a-", "ü", "\xff\xfe", " ", "n\nl", "-rf", "..x", ".w", "wh.", strings.Repeat("l", 101), strings.Repeat("é", 127) + "x"}

func genLeaf(t *rapid.T, m *memory) tree.Entry {
	a := genAttr(t)
	switch rapid.IntRange(0, 5).Draw(t, "kind") {
	case 0:
		a.Mode = 0o777
		return tree.Symlink{Attributes: a, Target: rapid.SampledFrom([]string{"x", "/a/b", "../..", strings.Repeat("t/", 200), "\xffü"}).Draw(t, "target")}
	case 1:
		return tree.Device{Attributes: a, Block: rapid.Bool().Draw(t, "block"), Major: uint32(rapid.IntRange(0, 4095).Draw(t, "major")), Minor: uint32(rapid.IntRange(0, 1<<20-1).Draw(t, "minor"))}
	case 2:
		return tree.Fifo{Attributes: a}
	case 3:
		return tree.File{Attributes: a}
	}
	size := rapid.SampledFrom([]int{1, 511, 512, 513, 128 << 10, 128<<10 + 1, 300_000}).Draw(t, "size")
	b := bytes.Repeat([]byte{byte(rapid.IntRange(0, 255).Draw(t, "byte"))}, size)
	d, n, _ := m.PutBytes(context.TODO(), b)
	return tree.File{Attributes: a, Size: n, Content: d}
}

// genChange gives a change set in the form that Read gives.
func genChange(t *rapid.T, m *memory) tree.ChangeSet {
	var leaves []string
	entries := map[string]tree.Entry{}
	var dir func(path string, depth int) *tree.DirChange
	dir = func(path string, depth int) *tree.DirChange {
		d := &tree.DirChange{Opaque: depth > 0 && rapid.IntRange(0, 4).Draw(t, "opaque") == 0}
		for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(names), 0, 4, rapid.ID).Draw(t, "names") {
			k := rapid.IntRange(0, 7).Draw(t, "change")
			switch {
			case k == 0:
				d.Set(name, tree.Remove{})
			case k == 1:
				d.Set(name, tree.Hardlink{To: "/below/" + name})
			case k <= 3 && depth < 4:
				d.Set(name, dir(path+"/"+name, depth+1))
			case k == 4 && len(leaves) > 0:
				e := entries[rapid.SampledFrom(leaves).Draw(t, "same")]
				d.Set(name, tree.Put{Entry: e})
				leaves, entries[path+"/"+name] = append(leaves, path+"/"+name), e
			default:
				e := genLeaf(t, m)
				d.Set(name, tree.Put{Entry: e})
				leaves, entries[path+"/"+name] = append(leaves, path+"/"+name), e
			}
		}
		if d.Len() == 0 && !d.Opaque || rapid.Bool().Draw(t, "has attr") {
			a := genAttr(t)
			d.Attr = &a
		}
		return d
	}
	cs := tree.ChangeSet{Root: dir("", 0)}
	groups := map[tree.Entry][]string{}
	for _, p := range leaves {
		if rapid.IntRange(0, 2).Draw(t, "linked") > 0 {
			groups[entries[p]] = append(groups[entries[p]], p)
		}
	}
	for _, g := range groups {
		if len(g) > 1 {
			slices.SortFunc(g, tree.ComparePaths)
			cs.Links = append(cs.Links, g)
		}
	}
	slices.SortFunc(cs.Links, func(a, b []string) int { return tree.ComparePaths(a[0], b[0]) })
	return cs
}

// Write, then Read, is the identity, and writing again gives the same bytes.
func TestWriteThenReadIsTheIdentity(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newMemory()
		cs := genChange(t, m)
		var a, b bytes.Buffer
		if _, err := layer.Write(t.Context(), &a, cs, layer.WriteOptions{Open: m.Open}); err != nil {
			t.Fatal(err)
		}
		if _, err := layer.Write(t.Context(), &b, cs, layer.WriteOptions{Open: m.Open}); err != nil {
			t.Fatal(err)
		}
		if digest.Of(a.Bytes()) != digest.Of(b.Bytes()) {
			t.Fatal("written twice, it has other bytes")
		}
		kept := newMemory()
		got, _, err := layer.Read(t.Context(), &a, layer.ReadOptions{Blobs: kept})
		if err != nil {
			t.Fatal(err)
		}
		if want, got := listing(cs), listing(got); !reflect.DeepEqual(want, got) {
			t.Fatalf("wrote\n%s\nread\n%s", strings.Join(want, "\n"), strings.Join(got, "\n"))
		}
		var again bytes.Buffer
		if _, err := layer.Write(t.Context(), &again, got, layer.WriteOptions{Open: kept.Open}); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(again.Bytes(), b.Bytes()) {
			t.Fatal("what was read is written as other bytes")
		}
	})
}
