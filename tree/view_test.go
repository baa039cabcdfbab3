package tree_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
	"pgregory.net/rapid"
)

// elsewhere lists the directories of a tree, and counts how often it is asked.
type elsewhere struct {
	tree  tree.Tree
	asked *int
}

// List gives the names of the directory, with those below as views.
func (e elsewhere) List(ctx context.Context) (out []tree.Child, err error) {
	*e.asked++
	for c, err := range e.tree.All(ctx) {
		if err != nil {
			return nil, err
		}
		if sub, ok := c.Entry.(tree.Tree); ok {
			c.Entry = viewOf(sub, e.asked)
		}
		out = append([]tree.Child{c}, out...) // in no order
	}
	return out, nil
}

func viewOf(t tree.Tree, asked *int) tree.Tree {
	return tree.View(t.Attr(), t.With(tree.Attr{}).Digest(), elsewhere{t, asked})
}

// without gives a tree without its hardlinks, which views do not know.
func without(t *rapid.T, in tree.Tree) tree.Tree {
	d := tree.NewDraft(tree.Empty().With(in.Attr()))
	for c, err := range in.All(context.Background()) {
		if err != nil {
			t.Fatal(err)
		}
		if sub, ok := c.Entry.(tree.Tree); ok {
			c.Entry = without(t, sub)
		}
		d.Put(c.Name, c.Entry)
	}
	out, err := d.Tree(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// listed gives a tree in which nothing is a view any more.
func listed(t *rapid.T, in tree.Tree) tree.Tree { return without(t, in) }

func TestCopyingIntoAViewIsCopyingIntoTheTree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		s := treetest.Seeded(rapid.Uint64().Draw(t, "seed"))
		c := s.Case(treetest.Limits{})
		dst, src := without(t, c.Dst.MustTree()), without(t, c.Src.MustTree())
		to := rapid.SampledFrom([]string{"/", "/a", "/bin/x", "/usr/"}).Draw(t, "to")
		o := compose.Options{Contents: true, Overlay: rapid.Bool().Draw(t, "overlay")}
		want, wantErr := compose.Copy(ctx, dst, to, src, "/", o)
		asked := 0
		got, err := compose.Copy(ctx, viewOf(dst, &asked), to, viewOf(src, &asked), "/", o)
		if (err == nil) != (wantErr == nil) || err != nil && err.Error() != wantErr.Error() {
			t.Fatalf("the error is %v, want %v", err, wantErr)
		}
		if err == nil && listed(t, got.Tree).Digest() != want.Tree.Digest() {
			t.Fatal("another tree")
		}
		if err == nil && !slices.Equal(waysOf(got), waysOf(want)) {
			t.Fatalf("it is told of %q, want %q", waysOf(got), waysOf(want))
		}
	})
}

// waysOf gives what a result tells of what went where.
func waysOf(r compose.Result) (out []string) {
	for _, p := range r.Placements {
		out = append(out, fmt.Sprint(p.Action, " ", p.From, " ", p.To))
	}
	return out
}

// A directory of many names over one of few: the planner looks at the few alone.
func TestAViewOfManyNamesIsLaidOverAsTheTreeIs(t *testing.T) {
	ctx := t.Context()
	many, few := tree.NewDraft(tree.Empty()), tree.NewDraft(tree.Empty())
	for i := range 100 {
		many.Put(fmt.Sprint(i), tree.File{Attributes: tree.Attr{Mode: 0o644}})
	}
	few.Put("7", tree.Symlink{Target: "x"})
	src, err := many.Tree(ctx)
	if err != nil {
		t.Fatal(err)
	}
	dst, err := few.Tree(ctx)
	if err != nil {
		t.Fatal(err)
	}
	want, err := compose.Copy(ctx, dst, "/", src, "/", compose.Options{Contents: true, Overlay: true})
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	for name, in := range map[string][2]tree.Tree{
		"of a view": {dst, viewOf(src, &asked)}, "over a view": {viewOf(dst, &asked), src}, "of a view over a view": {viewOf(dst, &asked), viewOf(src, &asked)},
	} {
		got, err := compose.Copy(ctx, in[0], "/", in[1], "/", compose.Options{Contents: true, Overlay: true})
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(waysOf(got), waysOf(want)) {
			t.Errorf("%s: it is told of %q, want %q", name, waysOf(got), waysOf(want))
		}
	}
}

func TestAViewIsListedOnceAndOnlyWhereSomebodyLooks(t *testing.T) {
	ctx := t.Context()
	sub := tree.NewDraft(tree.Empty())
	sub.Put("f", tree.File{})
	inner, err := sub.Tree(ctx)
	if err != nil {
		t.Fatal(err)
	}
	d := tree.NewDraft(tree.Empty())
	d.Put("a", inner)
	d.Put("b", inner)
	whole, err := d.Tree(ctx)
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	v := viewOf(whole, &asked)
	for range 3 {
		if _, err := tree.Resolve(ctx, v, "/a/f", tree.FollowAll); err != nil {
			t.Fatal(err)
		}
	}
	if asked != 2 {
		t.Errorf("it was listed %d times, want 2: the root and /a", asked)
	}
}

func TestAViewIsNotSaved(t *testing.T) {
	asked := 0
	_, err := tree.NewMemory().Save(t.Context(), viewOf(tree.Empty(), &asked))
	if err == nil || asked > 0 {
		t.Errorf("it was saved, %v, listed %d times", err, asked)
	}
}

// failing lists nothing.
type failing struct{ err error }

// List fails.
func (f failing) List(context.Context) ([]tree.Child, error) { return nil, f.err }

func TestWhatAViewCannotListIsAnError(t *testing.T) {
	gone := errors.New("gone")
	v := tree.View(tree.Attr{Mode: 0o755}, digest.Of([]byte("x")), failing{gone})
	if _, err := compose.Copy(t.Context(), v, "/a", tree.Empty(), "/", compose.Options{Contents: true}); !errors.Is(err, gone) {
		t.Errorf("the error is %v", err)
	}
}
