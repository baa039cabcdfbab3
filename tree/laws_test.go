package tree_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/tree"
	"pgregory.net/rapid"
)

// wideOf makes a directory of the given names and versions.
func wideOf(t *rapid.T, m map[string]int) tree.Tree {
	d := tree.NewDraft(tree.Empty())
	for n, v := range m {
		d.Put(n, tree.File{Attributes: tree.Attr{UID: uint32(v)}})
	}
	return finish(t, d)
}

func genNames(t *rapid.T, label string) map[string]int {
	m := map[string]int{}
	from, n := rapid.IntRange(0, 900).Draw(t, label+" from"), rapid.IntRange(0, 900).Draw(t, label+" many")
	for i := range n {
		m[fmt.Sprintf("n%04d", (from+i)%1000)] = 0
	}
	for range rapid.IntRange(0, 5).Draw(t, label+" others") {
		m[fmt.Sprintf("n%04d", rapid.IntRange(0, 999).Draw(t, "name"))] = rapid.IntRange(0, 2).Draw(t, "version")
	}
	return m
}

func TestCompareIsWhatTheNamesSay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, y := genNames(t, "a"), genNames(t, "b")
		a, b := wideOf(t, x), wideOf(t, y)
		if rapid.Bool().Draw(t, "near") { // and when most chunks are shared
			d := tree.NewDraft(a)
			y = map[string]int{}
			for n, v := range x {
				y[n] = v
			}
			for range rapid.IntRange(0, 4).Draw(t, "edits") {
				n := fmt.Sprintf("n%04d", rapid.IntRange(0, 999).Draw(t, "name"))
				if rapid.Bool().Draw(t, "remove") {
					d.Remove(n)
					delete(y, n)
				} else {
					d.Put(n, tree.File{Attributes: tree.Attr{UID: 7}})
					y[n] = 7
				}
			}
			b = finish(t, d)
		}
		var want, got []string
		for n, v := range x {
			if w, ok := y[n]; !ok || v != w {
				want = append(want, n)
			}
		}
		for n := range y {
			if _, ok := x[n]; !ok {
				want = append(want, n)
			}
		}
		slices.Sort(want)
		for c, err := range tree.Compare(t.Context(), a, b) {
			if err != nil {
				t.Fatal(err)
			}
			_, inA := x[c.Name]
			_, inB := y[c.Name]
			if (c.Old != nil) != inA || (c.New != nil) != inB {
				t.Fatalf("%s: %v, %v", c.Name, c.Old, c.New)
			}
			got = append(got, c.Name)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got %q, want %q", got, want)
		}
	})
}

func TestFillPutsWhatIsNotThere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, y := genNames(t, "base"), genNames(t, "fill")
		d := tree.NewDraft(wideOf(t, x))
		if rapid.Bool().Draw(t, "edited before") {
			d.Put("n0001", tree.File{Attributes: tree.Attr{UID: 9}})
			d.Remove("n0002")
			x["n0001"] = 9
			delete(x, "n0002")
		}
		if err := d.Fill(t.Context(), wideOf(t, y)); err != nil {
			t.Fatal(err)
		}
		want := map[string]int{}
		for n, v := range y {
			want[n] = v
		}
		for n, v := range x {
			want[n] = v
		}
		if rapid.Bool().Draw(t, "edited after") {
			d.Remove("n0003")
			d.Put("n0004", tree.File{Attributes: tree.Attr{UID: 8}})
			delete(want, "n0003")
			want["n0004"] = 8
		}
		for _, n := range []string{"n0001", "n0002", "n0003", "n0005"} {
			_, ok, err := d.Get(t.Context(), n)
			if _, should := want[n]; ok != should || err != nil {
				t.Fatalf("%s: %v %v", n, ok, err)
			}
		}
		if finish(t, d).Digest() != wideOf(t, want).Digest() {
			t.Fatal("the names are not those of both")
		}
	})
}

func linked(t *testing.T) tree.Tree {
	t.Helper()
	d := tree.NewDraft(tree.Empty())
	f := tree.File{Attributes: tree.Attr{Mode: 0o644}}
	d.MakeDir("a", tree.Attr{Mode: 0o755}).Put("x", f)
	b := d.MakeDir("b", tree.Attr{Mode: 0o755})
	b.Put("x", f)
	b.Put("y", f)
	d.Put("z", f)
	d.Link("/a/x", "/b/y", "/z")
	tr, err := d.Tree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

func groups(t *testing.T, tr tree.Tree) string {
	t.Helper()
	g, err := tr.Links(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(g)
}

func TestHardlinks(t *testing.T) {
	tr := linked(t)
	edit := func(f func(d *tree.Draft)) tree.Tree {
		d := tree.NewDraft(tr)
		f(d)
		got, err := d.Tree(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	dir := func(d *tree.Draft, name string) *tree.Draft {
		sub, _, _ := d.Dir(t.Context(), name)
		return sub
	}
	f := tree.File{Attributes: tree.Attr{Mode: 0o644}}
	for name, c := range map[string]struct {
		got  tree.Tree
		want string
	}{
		"as made":                       {tr, "[[/a/x /b/y /z]]"},
		"an equal entry put is another": {edit(func(d *tree.Draft) { d.Put("z", f) }), "[[/a/x /b/y]]"},
		"a name removed":                {edit(func(d *tree.Draft) { dir(d, "a").Remove("x") }), "[[/b/y /z]]"},
		"a directory removed":           {edit(func(d *tree.Draft) { d.Remove("b") }), "[[/a/x /z]]"},
		"two removed end the group":     {edit(func(d *tree.Draft) { d.Remove("a"); d.Remove("z") }), "[]"},
		"other names do not matter":     {edit(func(d *tree.Draft) { d.Put("q", f); dir(d, "b").Remove("x") }), "[[/a/x /b/y /z]]"},
		"groups that share a name join": {edit(func(d *tree.Draft) { d.Link("/b/x", "/z") }), "[[/a/x /b/x /b/y /z]]"},
	} {
		if got := groups(t, c.got); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
	d := tree.NewDraft(tr)
	d.Put("other", tree.File{Attributes: tree.Attr{Mode: 0o600}})
	d.Link("/other", "/z")
	if _, err := d.Tree(t.Context()); err == nil {
		t.Error("different files became one inode")
	}
	changed, err := tree.MapAttr(t.Context(), tr, func(e tree.Entry) tree.Attr {
		a := e.Attr()
		a.UID = 77
		return a
	})
	if err != nil || groups(t, changed) != "[[/a/x /b/y /z]]" {
		t.Errorf("other attributes: %s %v", groups(t, changed), err)
	}
	if g, err := tr.LinkGroup(t.Context(), "/b/y"); err != nil || fmt.Sprint(g) != "[/a/x /b/y /z]" {
		t.Errorf("the group of a name: %s %v", g, err)
	}
}

func TestADraftThatChangesNothingGivesItsTree(t *testing.T) {
	tr := linked(t)
	d := tree.NewDraft(tr)
	if _, ok, err := d.Dir(t.Context(), "a"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	got, err := d.Tree(t.Context())
	if err != nil || got != tr {
		t.Fatalf("the same tree has other memory: %v", err)
	}
}

func TestDeepAndWideTrees(t *testing.T) {
	d := tree.NewDraft(tree.Empty())
	at := d
	for range 1000 {
		at = at.MakeDir("d", tree.Attr{Mode: 0o755})
	}
	at.Put("end", tree.File{})
	for i := range 100_000 {
		at.Put(fmt.Sprint(i), tree.Symlink{Target: strings.Repeat("../", 1000)})
	}
	tr, err := d.Tree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if tr.Count() != 1000+100_001 {
		t.Fatalf("%d entries", tr.Count())
	}
	mem := tree.NewMemory()
	dig, err := mem.Save(t.Context(), tr)
	if err != nil {
		t.Fatal(err)
	}
	if tr, err = tree.Load(t.Context(), mem, dig); err != nil {
		t.Fatal(err)
	}
	p := strings.Repeat("/d", 1000) + "/99999"
	// The link leads to the root, and the second half of the path down again.
	r, err := tree.Resolve(t.Context(), tr, p+p+"/end", tree.FollowAll)
	if err != nil || r.Path != "/end" || r.Entry != nil {
		t.Fatalf("%.60s %v", r.Path, err)
	}
	if r, err = tree.Resolve(t.Context(), tr, p+strings.Repeat("/d", 1000)+"/end", tree.FollowAll); err != nil || r.Entry == nil {
		t.Fatalf("%.60s: %v", r.Path, err)
	}
	n := 0
	for _, err := range tree.Walk(t.Context(), tr, tree.WalkOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != 1000+100_002 {
		t.Fatalf("%d entries were met", n)
	}
}

func TestACancelledWalkEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	tr := linked(t)
	var last error
	for it, err := range tree.Walk(ctx, tr, tree.WalkOptions{}) {
		last = err
		if it.Path == "/a" {
			cancel()
		}
	}
	if !errors.Is(last, context.Canceled) {
		t.Fatal(last)
	}
	if _, err := tree.MapAttr(ctx, tr, tree.Entry.Attr); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

func TestPathsAreCleanedAndRooted(t *testing.T) {
	for p, want := range map[string]string{
		"a/../b": "/b", "../../x": "/x", "": "/", "/": "/", ".": "/", "//a//b/": "/a/b", "a/./b": "/a/b", "\xff": "/\xff",
		strings.Repeat("n", 255): "/" + strings.Repeat("n", 255),
	} {
		if got, err := tree.CleanPath(p); err != nil || got != want {
			t.Errorf("%q: %q %v, want %q", p, got, err, want)
		}
	}
	for _, p := range []string{"a\x00", "a\x00/../b", strings.Repeat("n", 256), strings.Repeat("n", 256) + "/.."} {
		if got, err := tree.CleanPath(p); !errors.Is(err, tree.ErrName) {
			t.Errorf("%.10q: %q %v", p, got, err)
		}
	}
}
