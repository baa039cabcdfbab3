//go:build linux

package checkout_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/inlaybuild/inlay/tree"
	"pgregory.net/rapid"
)

// names are few, so that changes meet.
var names = []string{"a", "b", "c", "-", "..x", "\xff\xfe", "zz", "lib"}

func drawAttr(t *rapid.T, mode tree.Mode) tree.Attr {
	a := attr(rapid.SampledFrom([]tree.Mode{mode, 0o600, 0o4755, 0o000}).Draw(t, "mode"),
		rapid.SampledFrom([]uint32{0, 1000, 4294967294}).Draw(t, "uid"), 0,
		rapid.SampledFrom([]int64{0, 1, 1700000000, -1}).Draw(t, "sec"), 7)
	switch rapid.IntRange(0, 5).Draw(t, "xattrs") {
	case 0:
		a.Xattrs = a.Xattrs.With("trusted.overlay.opaque", "y")
	case 1:
		a.Xattrs = a.Xattrs.With("security.x", "1")
	}
	return a
}

func drawLeaf(t *rapid.T, b *blobs, tb testing.TB) tree.Entry {
	a := drawAttr(t, 0o644)
	switch rapid.IntRange(0, 6).Draw(t, "kind") {
	case 0:
		return tree.Symlink{Target: rapid.SampledFrom([]string{"a", "/b", "../..", "lib"}).Draw(t, "target"), Attributes: tree.Attr{Mode: 0o777, UID: a.UID, ModTime: a.ModTime}}
	case 1:
		return tree.Fifo{Attributes: a}
	case 2:
		return tree.Device{Major: 1, Minor: 5, Attributes: a}
	case 3:
		return tree.File{Attributes: a}
	default:
		return b.put(tb, fmt.Sprint("content ", rapid.IntRange(0, 5).Draw(t, "content"))).WithAttr(a)
	}
}

// change makes some changes in a directory and those below it.
func change(t *rapid.T, b *blobs, tb testing.TB, d *tree.Draft, depth int) {
	for range rapid.IntRange(0, 4).Draw(t, "changes") {
		name := rapid.SampledFrom(names).Draw(t, "name")
		switch rapid.IntRange(0, 7).Draw(t, "change") {
		case 0, 1:
			d.Put(name, drawLeaf(t, b, tb))
		case 2:
			d.Remove(name)
		case 3:
			d.SetAttr(drawAttr(t, 0o755))
		case 4:
			if depth < 4 {
				change(t, b, tb, d.MakeDir(name, drawAttr(t, 0o755)), depth+1)
			}
		default:
			sub, ok, err := d.Dir(context.Background(), name)
			if err != nil {
				t.Fatal(err)
			}
			if ok {
				change(t, b, tb, sub, depth+1)
			} else if depth < 4 {
				change(t, b, tb, d.MakeDir(name, drawAttr(t, 0o755)), depth+1)
			}
		}
	}
}

// relink makes names of equal entries one inode, and breaks others.
func relink(t *rapid.T, tb testing.TB, tr tree.Tree) tree.Tree {
	equal := map[string][]string{}
	for p, r := range listTree(tb, tr) {
		if e, err := tr.Lookup(tb.Context(), p); err == nil && e.Kind() != tree.KindDirectory && e.Kind() != tree.KindSymlink {
			key := r
			for i := range key {
				if len(key) > i+3 && key[i:i+3] == " = " {
					key = key[:i]
					break
				}
			}
			equal[key] = append(equal[key], p)
		}
	}
	d := tree.NewDraft(tr)
	keys := []string{}
	for k := range equal {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		g := equal[k]
		slices.SortFunc(g, tree.ComparePaths)
		if len(g) > 1 && rapid.Bool().Draw(t, "link") {
			d.Link(g[:rapid.IntRange(2, len(g)).Draw(t, "names")]...)
		}
	}
	return mustTree(tb, d)
}

func drawTree(t *rapid.T, b *blobs, tb testing.TB, from tree.Tree) tree.Tree {
	d := tree.NewDraft(from)
	change(t, b, tb, d, 0)
	return relink(t, tb, mustTree(tb, d))
}
