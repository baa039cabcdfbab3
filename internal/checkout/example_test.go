//go:build linux

package checkout_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/inlaybuild/inlay/internal/checkout"
	"github.com/inlaybuild/inlay/tree"
)

func ExampleToDirectory() {
	ctx := context.Background()
	d := tree.NewDraft(tree.Empty())
	d.Put("bin", tree.Symlink{Target: "usr/bin"})
	d.MakeDir("usr", tree.Attr{Mode: 0o755}).MakeDir("bin", tree.Attr{Mode: 0o755})
	t, err := d.Tree(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	parent, err := os.MkdirTemp("", "example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(parent)
	dir := filepath.Join(parent, "root")
	// The tree has no file with content, so no blob is opened.
	if err := checkout.ToDirectory(ctx, t, dir, nil, checkout.DirectoryOptions{NoOwner: true}); err != nil {
		fmt.Println(err)
		return
	}
	target, err := os.Readlink(filepath.Join(dir, "bin"))
	fmt.Println(target, err)
	// Output: usr/bin <nil>
}
