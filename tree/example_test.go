package tree_test

import (
	"context"
	"fmt"
	"io/fs"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/tree"
)

// debian is a tree whose /bin is a symlink, as distributions have it.
func debian() tree.Tree {
	d := tree.NewDraft(tree.Empty())
	bin := d.MakeDir("usr", tree.Attr{Mode: 0o755}).MakeDir("bin", tree.Attr{Mode: 0o755})
	bin.Put("dash", tree.File{Attributes: tree.Attr{Mode: 0o755}})
	bin.Put("sh", tree.Symlink{Target: "dash"})
	d.Put("bin", tree.Symlink{Target: "usr/bin"})
	t, err := d.Tree(context.Background())
	if err != nil {
		panic(err)
	}
	return t
}

func ExampleResolve() {
	r, err := tree.Resolve(context.Background(), debian(), "/bin/sh", tree.FollowAll)
	fmt.Println(r.Path, err)
	for _, h := range r.Hops {
		fmt.Println(h.Path, "->", h.Target)
	}
	// Output:
	// /usr/bin/dash <nil>
	// /bin -> usr/bin
	// /usr/bin/sh -> dash
}

func ExampleDraft() {
	ctx := context.Background()
	before := debian()
	d := tree.NewDraft(before)
	d.MakeDir("etc", tree.Attr{Mode: 0o755}).Put("hostname", tree.File{Attributes: tree.Attr{Mode: 0o644}})
	d.Remove("bin")
	after, err := d.Tree(ctx)
	fmt.Println(before.Count(), after.Count(), err)
	// Output: 5 6 <nil>
}

func ExampleDraft_Link() {
	ctx := context.Background()
	d := tree.NewDraft(tree.Empty())
	f := tree.File{Attributes: tree.Attr{Mode: 0o755}}
	d.Put("perl", f)
	d.Put("perl5.36", f)
	d.Link("/perl", "/perl5.36")
	t, _ := d.Tree(ctx)
	groups, err := t.Links(ctx)
	fmt.Println(groups, err)
	// Output: [[/perl /perl5.36]] <nil>
}

func ExampleWalk() {
	for item, err := range tree.Walk(context.Background(), debian(), tree.WalkOptions{}) {
		if err != nil {
			panic(err)
		}
		fmt.Println(item.Path, item.Entry.Kind())
	}
	// Output:
	// / directory
	// /bin symlink
	// /usr directory
	// /usr/bin directory
	// /usr/bin/dash file
	// /usr/bin/sh symlink
}

func ExampleFS() {
	f := tree.FS(context.Background(), debian(), nil)
	names, err := fs.Glob(f, "bin/*")
	fmt.Println(names, err)
	// Output: [bin/dash bin/sh] <nil>
}

func ExampleLoad() {
	ctx := context.Background()
	store := tree.NewMemory()
	d, err := store.Save(ctx, debian())
	if err != nil {
		panic(err)
	}
	t, err := tree.Load(ctx, store, d)
	fmt.Println(t.Count(), t.Digest() == d, err)
	// Output: 5 true <nil>
}

func ExampleSaver() {
	ctx := context.Background()
	before := debian()
	d := tree.NewDraft(before)
	d.Put("new", tree.File{Attributes: tree.Attr{Mode: 0o644}})
	after, err := d.Tree(ctx)
	if err != nil {
		panic(err)
	}
	s := tree.NewSaver(tree.NewMemory())
	for _, t := range []tree.Tree{before, after} {
		n := 0
		saved, err := s.Save(ctx, t, func(digest.Digest, []byte) error {
			n++
			return nil
		})
		if err != nil {
			panic(err)
		}
		saved.Done() // when the nodes are safe
		fmt.Println(n)
	}
	// Output:
	// 4
	// 2
}

func ExampleCompare() {
	ctx := context.Background()
	a := debian()
	d := tree.NewDraft(a)
	d.Remove("bin")
	d.Put("init", tree.Symlink{Target: "bin/sh"})
	b, _ := d.Tree(ctx)
	for c, err := range tree.Compare(ctx, a, b) {
		if err != nil {
			panic(err)
		}
		fmt.Println(c.Name, c.Old != nil, c.New != nil)
	}
	// Output:
	// bin true false
	// init false true
}
