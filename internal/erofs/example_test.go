package erofs_test

import (
	"bytes"
	"context"
	"fmt"

	"github.com/inlaybuild/inlay/internal/erofs"
	"github.com/inlaybuild/inlay/tree"
)

func ExampleWrite() {
	ctx := context.Background()
	d := tree.NewDraft(tree.Empty())
	d.Put("bin", tree.Symlink{Target: "usr/bin"})
	d.MakeDir("usr", tree.Attr{Mode: 0o755})
	t, err := d.Tree(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	var image bytes.Buffer
	info, err := erofs.Write(ctx, &image, erofs.FromTree(ctx, t), erofs.Options{})
	fmt.Println(info.Inodes, info.Size, err)
	// Output: 3 8192 <nil>
}
