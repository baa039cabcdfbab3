package compose_test

import (
	"context"
	"testing"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/tree"
	"pgregory.net/rapid"
)

// check checks a law n times a hundred cases, or n times 2,000 when there is time.
func check(t *testing.T, n int, law func(*rapid.T)) {
	if long() {
		n *= 20
	}
	for range n {
		rapid.Check(t, law)
		if t.Failed() {
			return
		}
	}
}

func same(t *rapid.T, what string, got, want tree.Tree) {
	t.Helper()
	if got.Digest() != want.Digest() {
		t.Fatalf("%s:\n%s\nwant:\n%s", what, show(got), show(want))
	}
}

func merge(t *rapid.T, trees ...tree.Tree) tree.Tree {
	m, err := compose.Merge(context.Background(), trees...)
	if err != nil {
		t.Fatal(err)
	}
	return m.Tree
}

func TestApplyingADiffGivesTheSecondTree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		a := genTree(t)
		b := edit(t, a)
		if rapid.Bool().Draw(t, "unrelated") {
			b = genTree(t)
		}
		c, err := compose.Diff(ctx, a, b)
		if err != nil {
			t.Fatal(err)
		}
		got, err := compose.Apply(ctx, a, c)
		if err != nil {
			t.Fatalf("%v\nfrom:\n%s\nto:\n%s", err, show(a), show(b))
		}
		if got.Tree.Digest() != b.Digest() {
			t.Fatalf("from:\n%s\ngot:\n%s\nwant:\n%s\nlinks %q", show(a), show(got.Tree), show(b), c.Links)
		}
		none, err := compose.Diff(ctx, b, b)
		if err != nil || !none.IsEmpty() {
			t.Fatalf("a tree differs from itself: %+v %v", none, err)
		}
	})
}

// A name that is a directory in a and c and something else in b hides a's
// directory when b is laid over a first, and is forgotten when c is laid over b
// first: a tree cannot say that it hides. Everywhere else merge is associative.
func TestMergeIsAssociativeUnlessADirectoryIsHiddenInBetween(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := genTree(t), genTree(t), genTree(t)
		if hides(t, a, b, c) {
			return
		}
		same(t, "(a b) c", merge(t, merge(t, a, b), c), merge(t, a, merge(t, b, c)))
	})
}

func hides(t *rapid.T, a, b, c tree.Tree) bool {
	ctx := context.Background()
	for it, err := range tree.Walk(ctx, b, tree.WalkOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		if it.Entry.Kind() == tree.KindDirectory {
			continue
		}
		x, errA := a.Lookup(ctx, it.Path)
		y, errC := c.Lookup(ctx, it.Path)
		if errA == nil && errC == nil && x.Kind() == tree.KindDirectory && y.Kind() == tree.KindDirectory {
			return true
		}
	}
	return false
}

func TestMergeHasAnIdentity(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := genTree(t)
		same(t, "a alone", merge(t, a), a)
		same(t, "a over itself", merge(t, a, a), a)
		none := tree.Empty().With(a.Attr())
		same(t, "empty a", merge(t, none, a), a)
		same(t, "a empty", merge(t, a, none), a)
	})
}

func genOptions(t *rapid.T) compose.Options {
	return compose.Options{Overlay: rapid.Bool().Draw(t, "overlay"), Contents: true}
}

func TestCopyingTwiceEqualsCopyingOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		d, s, o := genTree(t), genTree(t), genOptions(t)
		to := rapid.SampledFrom([]string{"/", "/a", "/usr/bin", "/bin/new/dir"}).Draw(t, "to")
		once, err := compose.Copy(ctx, d, to, s, "/", o)
		if err != nil {
			return
		}
		twice, err := compose.Copy(ctx, once.Tree, to, s, "/", o)
		if err != nil {
			t.Fatal(err)
		}
		if o.Overlay {
			same(t, "twice", twice.Tree, once.Tree)
		}
	})
}

func TestCopyIntoTheEmptyTreeGivesTheContents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := genTree(t)
		r, err := compose.Copy(context.Background(), tree.Empty(), "/", s, "/", genOptions(t))
		if err != nil {
			t.Fatal(err)
		}
		if !tree.SameEntries(r.Tree, s) {
			t.Fatalf("got:\n%s\nwant:\n%s", show(r.Tree), show(s))
		}
	})
}

func TestOverlayAtTheRootIsMergeButForTheRootsAttributes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d, s := genTree(t), genTree(t)
		r, err := compose.Copy(context.Background(), d, "/", s, "/", compose.Options{Overlay: true})
		if err != nil {
			t.Fatal(err)
		}
		m := merge(t, d, s)
		if !tree.SameEntries(r.Tree, m) {
			t.Fatalf("copied:\n%s\nmerged:\n%s", show(r.Tree), show(m))
		}
		if r.Tree.Attr() != d.Attr() || m.Attr() != s.Attr() {
			t.Fatal("the root's attributes")
		}
	})
}
