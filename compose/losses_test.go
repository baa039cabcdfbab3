package compose_test

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
	"pgregory.net/rapid"
)

// byPath orders losses.
func byPath(a, b compose.Replacement) int { return strings.Compare(a.Path, b.Path) }

// genChanges draws a change set without hardlinks.
func genChanges(t *rapid.T, depth int) *tree.DirChange {
	c := &tree.DirChange{Opaque: rapid.IntRange(0, 5).Draw(t, "opaque") == 0}
	if rapid.Bool().Draw(t, "attr") {
		a := genAttr(t)
		c.Attr = &a
	}
	for range rapid.IntRange(0, 3).Draw(t, "changes") {
		name := rapid.SampledFrom(names).Draw(t, "name")
		switch k := rapid.IntRange(0, 4).Draw(t, "change"); {
		case k == 0:
			c.Set(name, tree.Remove{})
		case k == 1:
			c.Set(name, tree.Put{Entry: genFile(t)})
		case k == 2:
			c.Set(name, tree.Put{Entry: genTree(t)})
		case depth > 0:
			c.Set(name, genChanges(t, depth-1))
		}
	}
	return c
}

// listed is the full listing of a tree but for its root: what stands at each
// path itself.
func listed(tr tree.Tree) map[string]tree.Entry {
	out := map[string]tree.Entry{}
	for it, err := range tree.Walk(context.Background(), tr, tree.WalkOptions{}) {
		if err != nil {
			panic(err)
		}
		e := it.Entry
		if d, ok := e.(tree.Tree); ok {
			e = tree.Empty().With(d.Attr())
		}
		out[it.Path] = e
	}
	delete(out, "/")
	return out
}

// under counts the paths of a listing at and below a path.
func under(list map[string]tree.Entry, at string) (n int64) {
	for p := range list {
		if p == at || strings.HasPrefix(p, at+"/") {
			n++
		}
	}
	return n
}

// lost is what was lost, by comparing the listings of before and after.
func lost(before, after map[string]tree.Entry) (out []compose.Replacement) {
	for p, was := range before {
		if now, ok := after[p]; ok && was.Kind() != now.Kind() {
			out = append(out, compose.Replacement{Path: p, Was: was.Kind(), Now: now.Kind(), Entries: under(before, p), Came: under(after, p)})
		}
	}
	slices.SortFunc(out, byPath)
	return out
}

// counted compares two listings path by path.
func counted(before, after map[string]tree.Entry) (c compose.Counts) {
	for p, e := range after {
		switch was, ok := before[p]; {
		case !ok:
			c.Added++
		case tree.Equal(was, e):
			c.Shared++
		default:
			c.Replaced++
		}
	}
	for p := range before {
		if _, ok := after[p]; !ok {
			c.Removed++
		}
	}
	return c
}

func TestCountIsTheNaiveComparisonOfListings(t *testing.T) {
	check(t, 5, func(t *rapid.T) {
		a := genTree(t)
		b := edit(t, a)
		if rapid.IntRange(0, 3).Draw(t, "another") == 0 {
			b = genTree(t)
		}
		got, err := compose.Count(context.Background(), a, b)
		if want := counted(listed(a), listed(b)); err != nil || got != want {
			t.Fatalf("%+v, want %+v (%v)\nbefore:\n%s\nafter:\n%s", got, want, err, show(a), show(b))
		}
	})
}

// Whatever the operation: what it did is counted exactly, and nothing gives way
// to another kind without being told, but for what was in a directory that was
// replaced as a whole.
func TestNothingIsLostSilently(t *testing.T) {
	n := 3_000
	if long() {
		n = 200_000
	}
	holds(t, n,
		func(s *treetest.Source) treetest.Case { return s.Case(treetest.Limits{}) },
		func(c treetest.Case) string {
			ctx := context.Background()
			out, tr := c.Run(ctx)
			if out.Failure != "" || c.Verb == "attr" || c.Verb == "remove" {
				return ""
			}
			before, after := listed(c.Dst.MustTree()), listed(tr)
			got, err := compose.Count(ctx, c.Dst.MustTree(), tr)
			if want := counted(before, after); err != nil || got != want {
				return fmt.Sprintf("counted %+v, want %+v (%v)", got, want, err)
			}
			told := map[string]int64{}
			for _, r := range out.Replaced {
				told[r.Path] = r.Came
			}
			for _, l := range lost(before, after) {
				at := l.Path // or a directory above, which went, and came back by a later source
				for _, ok := told[at]; !ok && at != "/"; _, ok = told[at] {
					at = path.Dir(at)
				}
				hidden := c.Options.Existing == "replace" || c.Verb == "rename" // whole directories, by more than they were
				if came, ok := told[at]; !hidden && (!ok || at == l.Path && came != l.Came) {
					return fmt.Sprintf("lost %+v, told %+v", l, out.Replaced)
				}
			}
			return ""
		})
}

func TestMergingAndApplyingTellAllThatIsLost(t *testing.T) {
	check(t, 5, func(t *rapid.T) {
		ctx := context.Background()
		a, b := genTree(t), genTree(t)
		r, err := compose.Merge(ctx, a, b)
		if err != nil {
			t.Fatal(err)
		}
		slices.SortFunc(r.Replaced, byPath)
		if want := lost(listed(a), listed(r.Tree)); !slices.Equal(r.Replaced, want) {
			t.Fatalf("merging lost %+v, want %+v\n%s\nand\n%s", r.Replaced, want, show(a), show(b))
		}
		c := tree.ChangeSet{Root: genChanges(t, 3)}
		if rapid.Bool().Draw(t, "diff") {
			if c, err = compose.Diff(ctx, a, b); err != nil {
				t.Fatal(err)
			}
		}
		if r, err = compose.Apply(ctx, a, c); err != nil {
			t.Fatal(err)
		}
		alone, err := compose.Patch(ctx, a, c)
		if err != nil {
			t.Fatal(err)
		}
		same(t, "patched", alone, r.Tree)
		before, after := listed(a), listed(r.Tree)
		opaque := slices.ContainsFunc(r.Placements, func(p compose.Placement) bool { return p.Action == compose.Clear })
		for _, l := range r.Replaced {
			if l.Was != l.Now {
				continue
			}
			if now, want := under(after, l.Path), under(before, l.Path); l.Path != "/" && (l.Entries != want-1 || l.Came != now-1) || l.Came >= l.Entries {
				t.Fatalf("%+v, want %d and %d", l, want-1, now-1)
			}
		}
		slices.SortFunc(r.Replaced, byPath)
		if want := lost(before, after); !opaque && !slices.Equal(r.Replaced, want) {
			t.Fatalf("applying lost %+v, want %+v", r.Replaced, want)
		}
	})
}

func TestWhatAnEmptiedDirectoryHidIsToldWhenItIsMore(t *testing.T) {
	check(t, 2, func(t *rapid.T) {
		d, s := genTree(t), genTree(t)
		r, err := compose.Copy(context.Background(), d, "/", s, "/", compose.Options{Existing: compose.ExistingReplace})
		if err != nil {
			t.Fatal(err)
		}
		var want []compose.Replacement
		if s.Count() < d.Count() {
			want = []compose.Replacement{{Path: "/", Was: tree.KindDirectory, Now: tree.KindDirectory, Entries: d.Count(), Came: s.Count()}}
		}
		if !slices.Equal(r.Replaced, want) {
			t.Fatalf("%+v, want %+v", r.Replaced, want)
		}
	})
}

func TestPlacementsSayWhatWasAskedForAndWhereItLed(t *testing.T) {
	d := made(t, "bin -> usr/bin", "usr/bin/sh = 1", "opt -> /srv/opt", "etc/a = 1")
	s := made(t, "bin/tool = 2", "opt/x = 2")
	for name, c := range map[string]struct {
		to, from string
		o        compose.Options
		want     string
	}{
		"a file":                     {"/bin/tool", "/bin/tool", compose.Options{}, "[graft root /bin/tool -> /usr/bin/tool by /bin]"},
		"a file into a directory":    {"bin", "/bin/tool", compose.Options{}, "[graft root /bin/tool -> /usr/bin/tool by /bin]"},
		"without links":              {"/etc/", "/bin/tool", compose.Options{}, "[graft root /etc/tool -> /etc/tool]"},
		"contents":                   {"/bin", "/bin", compose.Options{}, "[merge root /bin -> /usr/bin by /bin graft  -> /usr/bin/tool]"},
		"a directory meets a link":   {"/", "/", compose.Options{Include: []string{"bin"}}, "[merge root / -> / merge /bin -> /usr/bin by /bin graft  -> /usr/bin/tool]"},
		"through a dangling link":    {"/opt/y/", "/opt/x", compose.Options{}, "[make-directory  -> /srv by /opt make-directory  -> /srv/opt by /opt make-directory  -> /srv/opt/y by /opt graft root /opt/y/x -> /srv/opt/y/x by /opt]"},
		"an emptied directory":       {"/bin", "/opt", compose.Options{Existing: compose.ExistingReplace}, "[clear /bin -> /usr/bin by /bin merge root /bin -> /usr/bin by /bin graft  -> /usr/bin/x]"},
		"an overlay follows no link": {"/bin/y", "/opt/x", compose.Options{Overlay: true}, "[make-directory  -> /bin graft root /bin/y -> /bin/y]"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := compose.Copy(t.Context(), d, c.to, s, c.from, c.o)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range r.Placements {
				line := string(p.Action) + " "
				if p.Root {
					line += "root "
				}
				line += p.Asked + " -> " + p.To
				for _, h := range p.Hops {
					line += " by " + h.Path
				}
				got = append(got, line)
			}
			if fmt.Sprint(got) != c.want {
				t.Errorf("%s\nwant\n%s", got, c.want)
			}
		})
	}
}
