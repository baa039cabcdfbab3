package tree_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/tree"
	"pgregory.net/rapid"
)

// The model of a tree with hardlinks: what stands at each path, and for files a
// number that is the inode.
type model map[string]modelEntry

type modelEntry struct {
	dir   bool
	inode int
	mode  tree.Mode
}

func (m model) remove(p string) {
	for q := range m {
		if q == p || strings.HasPrefix(q, p+"/") {
			delete(m, q)
		}
	}
}

// fresh makes the model's tree from nothing.
func (m model) fresh(t *rapid.T) tree.Tree {
	d := tree.NewDraft(tree.Empty())
	groups := map[int][]string{}
	for _, p := range slices.SortedFunc(maps.Keys(m), tree.ComparePaths) {
		dir, name := walkTo(t, d, p)
		if e := m[p]; e.dir {
			dir.MakeDir(name, tree.Attr{Mode: e.mode})
		} else {
			dir.Put(name, tree.File{Attributes: tree.Attr{Mode: e.mode}})
			groups[e.inode] = append(groups[e.inode], p)
		}
	}
	for _, g := range groups {
		d.Link(g...)
	}
	return finish(t, d)
}

func walkTo(t *rapid.T, d *tree.Draft, p string) (*tree.Draft, string) {
	parts := strings.Split(strings.Trim(p, "/"), "/")
	for _, n := range parts[:len(parts)-1] {
		sub, ok, err := d.Dir(t.Context(), n)
		if err != nil || !ok {
			t.Fatalf("%s in %s: %v", n, p, err)
		}
		d = sub
	}
	return d, parts[len(parts)-1]
}

func finish(t *rapid.T, d *tree.Draft) tree.Tree {
	got, err := d.Tree(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func (m model) paths(want func(modelEntry) bool) []string {
	var out []string
	for p, e := range m {
		if want(e) {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

func TestEqualListingsHaveEqualDigestsHoweverTheyWereMade(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := model{}
		now := tree.Empty()
		mem := tree.NewMemory()
		inode := 0
		for range rapid.IntRange(1, 8).Draw(t, "drafts") {
			d := tree.NewDraft(now)
			for range rapid.IntRange(1, 6).Draw(t, "edits") {
				dirs := append([]string{""}, m.paths(func(e modelEntry) bool { return e.dir })...)
				at := rapid.SampledFrom(dirs).Draw(t, "in") + "/" + rapid.SampledFrom([]string{"a", "b", "c", "d-", "d"}).Draw(t, "name")
				if strings.Count(at, "/") > 4 {
					continue
				}
				sub, name := walkTo(t, d, at)
				switch op := rapid.SampledFrom([]string{"file", "file", "dir", "dir", "remove"}).Draw(t, "op"); op {
				case "remove":
					m.remove(at)
					sub.Remove(name)
				case "dir":
					if m[at].dir {
						continue
					}
					m.remove(at)
					m[at] = modelEntry{dir: true, mode: 0o755}
					sub.MakeDir(name, tree.Attr{Mode: 0o755})
				case "file":
					inode++
					m.remove(at)
					m[at] = modelEntry{inode: inode, mode: 0o600}
					sub.Put(name, tree.File{Attributes: tree.Attr{Mode: 0o600}})
				}
			}
			// Links are made at the end of a draft: of some files that are there.
			if files := m.paths(func(e modelEntry) bool { return !e.dir }); len(files) > 1 && rapid.Bool().Draw(t, "link") {
				g := rapid.SliceOfNDistinct(rapid.SampledFrom(files), 2, min(4, len(files)), rapid.ID).Draw(t, "group")
				d.Link(g...)
				old := map[int]bool{}
				for _, p := range g {
					old[m[p].inode] = true
				}
				for p, e := range m {
					if old[e.inode] && !e.dir {
						e.inode = m[g[0]].inode
						m[p] = e
					}
				}
			}
			now = finish(t, d)
			want := m.fresh(t)
			check(t, m, now)
			if now.Digest() != want.Digest() {
				t.Fatalf("edited:\n%s\nfresh:\n%s", links(t, now), links(t, want))
			}
			if now.Count() != int64(len(m)) {
				t.Fatalf("count is %d, there are %d", now.Count(), len(m))
			}
			// Go on with what a store gives back.
			dig, err := mem.Save(t.Context(), now)
			if err != nil || dig != now.Digest() {
				t.Fatal(dig, err)
			}
			if rapid.Bool().Draw(t, "reload") {
				if now, err = tree.Load(t.Context(), mem, dig); err != nil {
					t.Fatal(err)
				}
			}
			for _, p := range m.paths(func(e modelEntry) bool { return e.dir }) {
				checkSealed(t, m, now, p)
			}
		}
	})
}

// checkSealed holds that a subdirectory taken out keeps the groups among its
// own names.
func checkSealed(t *rapid.T, m model, whole tree.Tree, at string) {
	e, err := whole.Lookup(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	sub := model{}
	for p, e := range m {
		if rest, ok := strings.CutPrefix(p, at+"/"); ok {
			sub["/"+rest] = e
		}
	}
	if got, want := e.(tree.Tree), sub.fresh(t); !tree.SameEntries(got, want) {
		t.Fatalf("%s taken out:\n%s\nfresh:\n%s", at, links(t, got), links(t, want))
	}
}

func check(t *rapid.T, m model, got tree.Tree) {
	inode := map[*tree.Link]int{}
	n := 0
	for it, err := range tree.Walk(t.Context(), got, tree.WalkOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		if it.Path == "/" {
			continue
		}
		n++
		e, ok := m[it.Path]
		if !ok || e.dir != (it.Entry.Kind() == tree.KindDirectory) {
			t.Fatalf("%s is a %s", it.Path, it.Entry.Kind())
		}
		if it.Link != nil {
			if i, ok := inode[it.Link]; ok && i != e.inode {
				t.Fatalf("%s is of the wrong group", it.Path)
			}
			inode[it.Link] = e.inode
		}
	}
	if n != len(m) {
		t.Fatalf("%d entries, want %d", n, len(m))
	}
}

func links(t *rapid.T, tr tree.Tree) string {
	var b strings.Builder
	for it, err := range tree.Walk(t.Context(), tr, tree.WalkOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s %s", it.Path, it.Entry.Kind())
		if it.Link != nil {
			fmt.Fprintf(&b, " = %s", it.Link.First)
		}
		b.WriteByte('\n')
	}
	return b.String()
}
