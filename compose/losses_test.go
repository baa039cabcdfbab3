package compose_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/tree"
	"pgregory.net/rapid"
)

// ofOtherKind gives what gave way to another kind, as the model tells it.
func ofOtherKind(list []compose.Replacement) (out []compose.Replacement) {
	for _, r := range list {
		if r.Was != r.Now {
			r.Came = 0
			out = append(out, r)
		}
	}
	return out
}

// listed is the full listing of a tree but for its root: what stands at each
// path itself.
func listed(t *rapid.T, tr tree.Tree) map[string]tree.Entry {
	out := map[string]tree.Entry{}
	for it, err := range tree.Walk(context.Background(), tr, tree.WalkOptions{}) {
		if err != nil {
			t.Fatal(err)
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

func TestCountIsTheNaiveComparisonOfListings(t *testing.T) {
	check(t, 5, func(t *rapid.T) {
		ctx := context.Background()
		a := genTree(t)
		b := edit(t, a)
		switch rapid.IntRange(0, 3).Draw(t, "after") {
		case 0:
			b = genTree(t)
		case 1:
			to, from, o := genCopy(t)
			if r, err := compose.CopySeveral(ctx, a, to, b, from, o); err == nil {
				b = r.Tree
			}
		}
		var want compose.Counts
		before, after := listed(t, a), listed(t, b)
		for p, e := range after {
			switch was, ok := before[p]; {
			case !ok:
				want.Added++
			case tree.Equal(was, e):
				want.Shared++
			default:
				want.Replaced++
			}
		}
		for p := range before {
			if _, ok := after[p]; !ok {
				want.Removed++
			}
		}
		got, err := compose.Count(ctx, a, b)
		if err != nil || got != want {
			t.Fatalf("%+v, want %+v (%v)\nbefore:\n%s\nafter:\n%s", got, want, err, show(a), show(b))
		}
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
		if want := lost(listed(t, a), listed(t, r.Tree)); !slices.Equal(r.Replaced, want) {
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
		before, after := listed(t, a), listed(t, r.Tree)
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
