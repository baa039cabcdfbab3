package tree

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// nameOf gives names of which many are of high levels, so that small
// directories have chunks of several levels.
func levelled(t testing.TB) [][]string {
	t.Helper()
	out := make([][]string, 3)
	for i := 0; len(out[2]) < 6; i++ {
		n := fmt.Sprintf("%x", i)
		if l := nameLevel(n); l < 3 && len(out[l]) < []int{60, 40, 6}[l] {
			out[l] = append(out[l], n)
		}
	}
	return out
}

func fileOf(n int) Entry {
	return File{Attributes: Attr{Mode: 0o644, UID: uint32(n)}}
}

func build(ctx context.Context, m map[string]Entry) *list {
	var cs []change
	for n, e := range m {
		cs = append(cs, change{n, e})
	}
	slices.SortFunc(cs, func(a, b change) int { return strings.Compare(a.name, b.name) })
	l, err := (*list)(nil).edit(ctx, cs)
	if err != nil {
		panic(err)
	}
	return l
}

func TestChunksFollowFromTheNamesAlone(t *testing.T) {
	ctx := t.Context()
	names := slices.Concat(levelled(t)...)
	rapid.Check(t, func(t *rapid.T) {
		model := map[string]Entry{}
		var l *list
		for step := range rapid.IntRange(1, 12).Draw(t, "edits") {
			changes := map[string]Entry{}
			for _, n := range rapid.SliceOfN(rapid.SampledFrom(names), 1, 40).Draw(t, "names") {
				if rapid.Bool().Draw(t, "remove") {
					changes[n] = nil
					delete(model, n)
				} else {
					changes[n] = fileOf(step)
					model[n] = fileOf(step)
				}
			}
			var cs []change
			for n, e := range changes {
				cs = append(cs, change{n, e})
			}
			slices.SortFunc(cs, func(a, b change) int { return strings.Compare(a.name, b.name) })
			var err error
			if l, err = l.edit(ctx, cs); err != nil {
				t.Fatal(err)
			}
			want := build(ctx, model)
			if (l == nil) != (want == nil) {
				t.Fatalf("edited %v, built %v", l, want)
			}
			if l == nil {
				continue
			}
			if l.digest() != want.digest() || l.names != int64(len(model)) {
				t.Fatalf("edited: %d names, level %d; built: %d names, level %d", l.names, l.level, want.names, want.level)
			}
			for n := range model {
				if e, ok, _ := l.get(ctx, n); !ok || e != model[n] {
					t.Fatalf("%s: %v %v", n, e, ok)
				}
			}
		}
	})
}

func TestAChangedNameCostsAFewChunks(t *testing.T) {
	ctx := t.Context()
	m := map[string]Entry{}
	for i := range 100_000 {
		m[fmt.Sprintf("file-%06d", i)] = fileOf(i)
	}
	base := Tree{list: build(ctx, m)}
	mem := NewMemory()
	if _, err := mem.Save(ctx, base); err != nil {
		t.Fatal(err)
	}
	before := mem.Len()
	d := NewDraft(base)
	d.Put("file-050000x", fileOf(1))
	next, err := d.Tree(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mem.Save(ctx, next); err != nil {
		t.Fatal(err)
	}
	if n := mem.Len() - before; n > 5 {
		t.Fatalf("%d new nodes for one new name in 100,000", n)
	}
}
