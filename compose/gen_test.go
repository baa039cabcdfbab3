package compose_test

import (
	"context"
	"fmt"
	"strings"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/tree"
	"pgregory.net/rapid"
)

// names are few, so that trees overlap; wide adds a directory of many.
var names = []string{"a", "b", "bin", "usr", "lib", "x-", "\xff\n"}

func genAttr(t *rapid.T) tree.Attr {
	a := tree.Attr{
		Mode: rapid.SampledFrom([]tree.Mode{0o755, 0o644, 0o4755, 0o1777}).Draw(t, "mode"),
		UID:  uint32(rapid.IntRange(0, 2).Draw(t, "uid")),
	}
	if rapid.IntRange(0, 5).Draw(t, "time") == 0 {
		a.ModTime = tree.Time{Sec: -5, Nsec: 999_999_999}
	}
	if rapid.IntRange(0, 8).Draw(t, "xattr") == 0 {
		a.Xattrs = tree.NewXattrs(map[string]string{"user.k": "v"})
	}
	return a
}

func genFile(t *rapid.T) tree.Entry {
	f := tree.File{Attributes: genAttr(t)}
	if n := rapid.IntRange(0, 3).Draw(t, "content"); n > 0 {
		f.Content, f.Size = digest.Of([]byte{byte(n)}), 1
	}
	return f
}

var targets = []string{"a", "b", "usr/bin", "/usr", "/usr/lib", "..", "../..", "../b", "nowhere", "/", "bin", "x-/a", "./a/", "a/..", ""}

// fill puts random entries into a directory.
func fill(t *rapid.T, d *tree.Draft, depth int, at string, files *[]string) {
	for range rapid.IntRange(0, 4).Draw(t, "n") {
		name := rapid.SampledFrom(names).Draw(t, "name")
		if _, ok, _ := d.Get(context.Background(), name); ok {
			continue
		}
		switch k := rapid.IntRange(0, 9).Draw(t, "kind"); {
		case k < 4 && depth > 0:
			fill(t, d.MakeDir(name, genAttr(t)), depth-1, at+"/"+name, files)
		case k < 6:
			a := genAttr(t)
			a.Mode = 0o777
			d.Put(name, tree.Symlink{Attributes: a, Target: rapid.SampledFrom(targets).Draw(t, "target")})
		case k == 6:
			d.Put(name, tree.Fifo{Attributes: genAttr(t)})
		default:
			d.Put(name, genFile(t))
			*files = append(*files, at+"/"+name)
		}
	}
	if rapid.IntRange(0, 30).Draw(t, "wide") == 0 {
		for i := range 200 {
			d.Put(fmt.Sprintf("wide%d", i), tree.File{Attributes: tree.Attr{Mode: 0o600}})
		}
	}
}

// genTree gives a tree with symlinks, hardlinks and, now and then, a directory
// of many names.
func genTree(t *rapid.T) tree.Tree {
	ctx := context.Background()
	d := tree.NewDraft(tree.Empty().With(genAttr(t)))
	var files []string
	fill(t, d, 3, "", &files)
	tr, err := d.Tree(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) > 1 {
		for range rapid.IntRange(0, 2).Draw(t, "groups") {
			g := rapid.SliceOfNDistinct(rapid.SampledFrom(files), 2, min(4, len(files)), rapid.ID).Draw(t, "group")
			tr = relink(t, tr, g)
		}
	}
	return tr
}

// relink makes paths names of one inode, by making their entries equal first.
func relink(t *rapid.T, tr tree.Tree, paths []string) tree.Tree {
	ctx := context.Background()
	d := tree.NewDraft(tr)
	e, err := tr.Lookup(ctx, paths[0])
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range paths {
		at := d
		parts := strings.Split(strings.Trim(p, "/"), "/")
		for _, n := range parts[:len(parts)-1] {
			at, _, _ = at.Dir(ctx, n)
		}
		at.Put(parts[len(parts)-1], e)
	}
	d.Link(paths...)
	out, err := d.Tree(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// edit gives a tree that differs from tr in a few places.
func edit(t *rapid.T, tr tree.Tree) tree.Tree {
	ctx := context.Background()
	d := tree.NewDraft(tr)
	var paths, files []string
	for it, err := range tree.Walk(ctx, tr, tree.WalkOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		if it.Path != "/" {
			paths = append(paths, it.Path)
		}
	}
	for range rapid.IntRange(0, 4).Draw(t, "edits") {
		if len(paths) == 0 {
			break
		}
		p := rapid.SampledFrom(paths).Draw(t, "path")
		at, name, ok := open(ctx, d, p)
		if !ok {
			continue
		}
		switch rapid.IntRange(0, 4).Draw(t, "edit") {
		case 0:
			at.Remove(name)
		case 1:
			at.Put(name, genFile(t))
		case 2:
			fill(t, at.MakeDir(name, genAttr(t)), 1, "", &files)
		case 3:
			if sub, ok, _ := at.Dir(ctx, name); ok {
				sub.SetAttr(genAttr(t))
			}
		case 4: // the same again, but out of its group
			if e, ok, _ := at.Get(ctx, name); ok && e.Kind() != tree.KindDirectory {
				at.Put(name, e)
			}
		}
	}
	out, err := d.Tree(ctx)
	if err != nil {
		t.Fatal(err)
	}
	files = files[:0]
	for it := range tree.Walk(ctx, out, tree.WalkOptions{}) {
		if it.Entry.Kind() == tree.KindFile {
			files = append(files, it.Path)
		}
	}
	if len(files) > 1 && rapid.Bool().Draw(t, "relink") {
		out = relink(t, out, rapid.SliceOfNDistinct(rapid.SampledFrom(files), 2, min(3, len(files)), rapid.ID).Draw(t, "group"))
	}
	return out
}

func open(ctx context.Context, d *tree.Draft, p string) (*tree.Draft, string, bool) {
	parts := strings.Split(strings.Trim(p, "/"), "/")
	for _, n := range parts[:len(parts)-1] {
		sub, ok, _ := d.Dir(ctx, n)
		if !ok {
			return nil, "", false
		}
		d = sub
	}
	return d, parts[len(parts)-1], true
}

// show lists a tree for a failed test.
func show(tr tree.Tree) string {
	var b strings.Builder
	for it, err := range tree.Walk(context.Background(), tr, tree.WalkOptions{}) {
		if err != nil {
			return err.Error()
		}
		if strings.Contains(it.Path, "/wide") {
			continue
		}
		a := it.Entry.Attr()
		fmt.Fprintf(&b, "%q %s %o %d:%d %v %v", it.Path, it.Entry.Kind(), a.Mode, a.UID, a.GID, a.ModTime, a.Xattrs)
		switch e := it.Entry.(type) {
		case tree.Symlink:
			fmt.Fprintf(&b, " -> %q", e.Target)
		case tree.File:
			fmt.Fprintf(&b, " %.4s", e.Content.Hex())
		}
		if it.Link != nil {
			fmt.Fprintf(&b, " = %q", it.Link.First)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
