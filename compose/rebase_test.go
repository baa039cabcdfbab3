package compose_test

import (
	"context"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/tree"
	"pgregory.net/rapid"
)

// rebased is what copying the contents of s to a path without symlinks adds, as
// a change set.
func rebased(t *rapid.T, d tree.Tree, to string, s tree.Tree) tree.ChangeSet {
	ctx := context.Background()
	root := &tree.DirChange{}
	at := root
	names := strings.FieldsFunc(to, func(r rune) bool { return r == '/' })
	e, err := d.Lookup(ctx, to)
	if _, isDir := e.(tree.Tree); isDir && err == nil {
		for _, n := range names {
			sub := &tree.DirChange{}
			at.Set(n, sub)
			at = sub
		}
		for c, err := range s.All(ctx) {
			if err != nil {
				t.Fatal(err)
			}
			at.Set(c.Name, tree.Put{Entry: c.Entry})
		}
	} else {
		for _, n := range names[:len(names)-1] {
			sub := &tree.DirChange{}
			at.Set(n, sub)
			at = sub
		}
		at.Set(names[len(names)-1], tree.Put{Entry: s})
	}
	groups, err := s.Links(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range groups {
		for i := range g {
			g[i] = path.Join(to, g[i])
		}
	}
	return tree.ChangeSet{Root: root, Links: groups}
}

// withoutLinks gives a tree with fifos where symlinks were.
func withoutLinks(t *rapid.T, tr tree.Tree) tree.Tree {
	ctx := context.Background()
	d := tree.NewDraft(tr)
	for it, err := range tree.Walk(ctx, tr, tree.WalkOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		if it.Entry.Kind() == tree.KindSymlink {
			at, name, _ := open(ctx, d, it.Path)
			at.Put(name, tree.Fifo{})
		}
	}
	out, err := d.Tree(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestCopyIsTheMergeOfTheRebasedSource(t *testing.T) {
	check(t, 10, func(t *rapid.T) {
		ctx := context.Background()
		d, s := genTree(t), genTree(t)
		to := rapid.SampledFrom([]string{"/", "/a", "/usr/bin", "/bin/new/dir"}).Draw(t, "to")
		o := compose.Options{Overlay: true}
		if rapid.Bool().Draw(t, "no symlink on the way") {
			d, o.Overlay = withoutLinks(t, d), false
		}
		r, err := compose.Copy(ctx, d, to, s, "/", o)
		if err != nil {
			if o.Overlay {
				t.Fatal(err)
			}
			return
		}
		want, err := compose.Patch(ctx, d, rebased(t, d, to, s))
		if err != nil {
			t.Fatal(err)
		}
		same(t, "copied to "+to, r.Tree, want)
	})
}

// A copy that takes away what it was led by leads elsewhere the second time: see
// TestALinkThatIsReplacedMakesTheSecondCopyAnother. Otherwise the second changes
// nothing.
func TestCopyingTwiceChangesNothingUnlessALinkFollowedWasReplaced(t *testing.T) {
	check(t, 10, func(t *rapid.T) {
		ctx := context.Background()
		d, s := genTree(t), genTree(t)
		to := rapid.SampledFrom([]string{"/", "/a", "/usr/bin", "/bin/new/dir"}).Draw(t, "to")
		once, err := compose.Copy(ctx, d, to, s, "/", compose.Options{Contents: true})
		if err != nil {
			return
		}
		hops := func(r compose.Result) (out []tree.Hop) {
			for _, p := range r.Placements {
				out = append(out, p.Hops...)
			}
			return out
		}
		twice, err := compose.Copy(ctx, once.Tree, to, s, "/", compose.Options{Contents: true})
		if err != nil || !slices.Equal(hops(once), hops(twice)) {
			if len(hops(once)) == 0 && (err != nil || len(hops(twice)) == 0) {
				t.Fatal(err)
			}
			return
		}
		same(t, "twice", twice.Tree, once.Tree)
	})
}
