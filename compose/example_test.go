package compose_test

import (
	"context"
	"fmt"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/tree"
)

// lines makes a tree for the examples.
func lines(edit func(d *tree.Draft)) tree.Tree {
	d := tree.NewDraft(tree.Empty())
	edit(d)
	t, err := d.Tree(context.Background())
	if err != nil {
		panic(err)
	}
	return t
}

func exampleBase() tree.Tree {
	return lines(func(d *tree.Draft) {
		dir := tree.Attr{Mode: 0o755}
		d.MakeDir("usr", dir).MakeDir("bin", dir).Put("sh", tree.File{Attributes: dir})
		d.Put("bin", tree.Symlink{Target: "usr/bin"})
	})
}

func exampleTool() tree.Tree {
	return lines(func(d *tree.Draft) {
		d.MakeDir("bin", tree.Attr{Mode: 0o755}).Put("tool", tree.File{Attributes: tree.Attr{Mode: 0o755}})
	})
}

// A directory that meets a symlink goes where the link leads.
func ExampleCopy() {
	r, err := compose.Copy(context.Background(), exampleBase(), "/", exampleTool(), "/", compose.Options{})
	fmt.Println(told(r.Tree), err)
	// Output: bin -> usr/bin, usr/bin/sh, usr/bin/tool <nil>
}

// As an overlay, as a layer of an image is, it replaces the link.
func ExampleCopy_overlay() {
	r, err := compose.Copy(context.Background(), exampleBase(), "/", exampleTool(), "/", compose.Options{Overlay: true})
	fmt.Println(told(r.Tree), err)
	for _, what := range r.Replaced {
		fmt.Println(what.Path, "was a", what.Was, "and is a", what.Now)
	}
	// Output:
	// bin/tool, usr/bin/sh <nil>
	// /bin was a symlink and is a directory
}

func ExampleMerge() {
	r, err := compose.Merge(context.Background(), exampleBase(), exampleTool())
	fmt.Println(told(r.Tree), err)
	// Output: bin/tool, usr/bin/sh <nil>
}

func ExampleDiff() {
	ctx := context.Background()
	a := exampleBase()
	r, _ := compose.Copy(ctx, a, "/bin/tool", exampleTool(), "/bin/tool", compose.Options{})
	c, err := compose.Diff(ctx, a, r.Tree)
	if err != nil {
		panic(err)
	}
	usr := c.Root.Get("usr").(*tree.DirChange)
	for name, change := range usr.Get("bin").(*tree.DirChange).All() {
		fmt.Printf("%s %T\n", name, change)
	}
	// Output: tool tree.Put
}

func ExampleApply() {
	ctx := context.Background()
	root := &tree.DirChange{}
	root.Set("bin", tree.Remove{})
	root.Set("etc", tree.Put{Entry: tree.Empty()})
	r, err := compose.Apply(ctx, exampleBase(), tree.ChangeSet{Root: root})
	fmt.Println(told(r.Tree), err)
	for _, p := range r.Placements {
		fmt.Println(p.Action, p.To)
	}
	// Output:
	// etc/, usr/bin/sh <nil>
	// take /bin
	// graft /etc
}

func ExampleCount() {
	ctx := context.Background()
	r, _ := compose.Copy(ctx, exampleBase(), "/bin/tool", exampleTool(), "/bin/tool", compose.Options{})
	c, err := compose.Count(ctx, exampleBase(), r.Tree)
	fmt.Printf("%d added, %d replaced, %d removed, %d shared %v\n", c.Added, c.Replaced, c.Removed, c.Shared, err)
	// Output: 1 added, 0 replaced, 0 removed, 4 shared <nil>
}

func ExampleSelect() {
	t, err := compose.Select(context.Background(), exampleBase(), compose.Selection{
		Include: []string{"usr"}, Exclude: []string{"**/sh"},
	})
	fmt.Println(told(t), err)
	// Output: usr/bin/ <nil>
}

func ExampleGlob() {
	paths, err := compose.Glob(context.Background(), exampleBase(), "/bin/*")
	fmt.Println(paths, err)
	// Output: [/bin/sh] <nil>
}

func ExampleParseMode() {
	m, err := compose.ParseMode("u+rwX,go-w")
	fmt.Printf("%o %o %v\n", m.Of(0o466, false), m.Of(0o422, true), err)
	// Output: 644 700 <nil>
}

func ExampleRename() {
	r, err := compose.Rename(context.Background(), exampleBase(), "/usr/bin", "/opt/", compose.Options{})
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Placements[len(r.Placements)-1].To)
	// Output: /opt/bin
}

func ExampleHardlink() {
	t, err := compose.Hardlink(context.Background(), exampleBase(), "/bin/sh", "/bin/rsh", compose.Options{})
	if err != nil {
		panic(err)
	}
	group, err := t.Tree.LinkGroup(context.Background(), "/usr/bin/rsh")
	fmt.Println(group, err)
	// Output: [/usr/bin/rsh /usr/bin/sh] <nil>
}

func ExampleSetAttr() {
	mode, err := compose.ParseMode("go-rwx")
	if err != nil {
		panic(err)
	}
	t, err := compose.SetAttr(context.Background(), exampleBase(), []string{"/bin"}, compose.AttrChange{Mode: mode})
	if err != nil {
		panic(err)
	}
	e, err := t.Lookup(context.Background(), "/usr/bin")
	fmt.Printf("%o %v\n", e.Attr().Mode, err)
	// Output: 700 <nil>
}
