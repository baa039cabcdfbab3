package compose_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/tree"
	"pgregory.net/rapid"
)

// check checks a law n times a hundred cases, or n times 2,000 when INLAY_LONG
// is set.
func check(t *testing.T, n int, law func(*rapid.T)) {
	if os.Getenv("INLAY_LONG") != "" {
		n *= 20
	}
	for range n {
		rapid.Check(t, law)
		if t.Failed() {
			return
		}
	}
}

// genCopy draws destinations, sources and options that all of section 3 has.
func genCopy(t *rapid.T) (to string, from []string, o compose.Options) {
	to = rapid.SampledFrom([]string{"/", "/a", "/a/", "/usr/bin", "/bin/", "/bin/new/dir", "b/../lib", "/x-/a/b", "/lib/usr/"}).Draw(t, "to")
	from = rapid.SliceOfN(rapid.SampledFrom([]string{"/", "/a", "/bin", "/usr", "/usr/bin", "/lib/a", "b", "x-"}), 1, 3).Draw(t, "from")
	if rapid.Bool().Draw(t, "one") {
		from = from[:1]
	}
	o = compose.Options{
		Overlay:  rapid.IntRange(0, 3).Draw(t, "overlay") == 0,
		KeepLink: rapid.Bool().Draw(t, "keep link"),
		Contents: rapid.IntRange(0, 3).Draw(t, "contents") == 0,
		Existing: rapid.SampledFrom([]compose.Existing{"", "", "", compose.ExistingReplace, compose.ExistingForbid}).Draw(t, "existing"),
		Epoch:    tree.Time{Sec: 7},
	}
	if rapid.IntRange(0, 4).Draw(t, "owner") == 0 {
		o.Owner = &compose.Owner{UID: 5, GID: 6}
	}
	if rapid.IntRange(0, 4).Draw(t, "mode") == 0 {
		o.Mode, _ = compose.ParseMode("u+rwX,go-w")
	}
	if rapid.IntRange(0, 4).Draw(t, "time") == 0 {
		o.Time = &tree.Time{Sec: 9}
	}
	return to, from, o
}

func byPath(a, b compose.Replacement) int { return strings.Compare(a.Path, b.Path) }

func TestCopyIsWhatTheModelDoes(t *testing.T) {
	copied := 0
	check(t, 10, func(t *rapid.T) {
		ctx := context.Background()
		{
			d, s := genTree(t), genTree(t)
			if rapid.IntRange(0, 9).Draw(t, "itself") == 0 {
				s = d
			}
			to, from, o := genCopy(t)
			for _, wide := range []int64{64, 1} {
				r, err := compose.CopyWide(ctx, d, to, s, from, o, wide)
				m, modelErr := modelCopy(modelOf(d), to, modelOf(s), from, o)
				var forbidden *compose.ForbidError
				if errors.As(err, &forbidden) && modelErr == nil {
					got := slices.Sorted(slices.Values(forbidden.Paths))
					if slices.Sort(m.forbid); !slices.Equal(got, m.forbid) {
						t.Fatalf("forbidden: %q, want %q", got, m.forbid)
					}
					continue
				}
				if o.Existing == compose.ExistingForbid && modelErr == nil && err == nil && len(m.forbid) > 0 {
					t.Fatalf("overwrites %q", m.forbid)
				}
				if (err == nil) != (modelErr == nil) {
					t.Fatalf("copy: %v, model: %v; %q from %q\n%s", err, modelErr, to, from, show(d))
				}
				if err != nil {
					continue
				}
				copied++
				if want := m.root.tree(); r.Tree.Digest() != want.Digest() {
					t.Fatalf("wide %d: %q to %q, %+v\ndestination:\n%s\nsource:\n%s\ngot:\n%s\nwant:\n%s", wide, from, to, o, show(d), show(s), show(r.Tree), show(want))
				}
				r.Replaced = ofOtherKind(r.Replaced)
				if len(from) > 1 || slices.ContainsFunc(r.Placements, func(p compose.Placement) bool { return len(p.Hops) > 0 }) {
					// What the copy itself put there is counted by the model alone.
					for i := range r.Replaced {
						r.Replaced[i].Entries = 0
					}
					for i := range m.replaced {
						m.replaced[i].Entries = 0
					}
				}
				slices.SortStableFunc(r.Replaced, byPath)
				slices.SortStableFunc(m.replaced, byPath)
				if !slices.Equal(r.Replaced, m.replaced) {
					t.Fatalf("%q to %q replaced %+v, want %+v\ndestination:\n%s\nsource:\n%s", from, to, r.Replaced, m.replaced, show(d), show(s))
				}
			}
		}
	})
	t.Log(copied, "copies")
}

func TestMergeIsWhatTheModelDoes(t *testing.T) {
	check(t, 10, func(t *rapid.T) {
		ctx := context.Background()
		{
			a, b := genTree(t), genTree(t)
			m, err := modelCopy(modelOf(a), "/", modelOf(b), []string{"/"}, compose.Options{Overlay: true})
			if err != nil {
				t.Fatal(err)
			}
			m.root.entry = b
			want := m.root.tree()
			same(t, "merge", merge(t, a, b), want)
			got, err := compose.MergeWide(ctx, a, b, 1)
			if err != nil {
				t.Fatal(err)
			}
			same(t, "merge by the destination's names", got, want)
		}
	})
}

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

func TestApplyIsWhatTheModelDoes(t *testing.T) {
	check(t, 10, func(t *rapid.T) {
		{
			a, c := genTree(t), genChanges(t, 3)
			got, err := compose.Apply(context.Background(), a, tree.ChangeSet{Root: c})
			if err != nil {
				t.Fatal(err)
			}
			m := modelOf(a)
			modelApply(m, c)
			same(t, "applied", got.Tree, m.tree())
		}
	})
}
