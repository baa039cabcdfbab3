package layer_test

import (
	"bytes"
	"context"
	"fmt"

	"github.com/inlaybuild/inlay/internal/layer"
	"github.com/inlaybuild/inlay/tree"
)

// A layer that removes one name and adds another.
func Example() {
	ctx := context.Background()
	blobs := newMemory()
	content, size, _ := blobs.PutBytes(ctx, []byte("hello\n"))

	etc := &tree.DirChange{}
	etc.Set("motd", tree.Put{Entry: tree.File{Attributes: tree.Attr{Mode: 0o644}, Size: size, Content: content}})
	etc.Set("issue", tree.Remove{})
	root := &tree.DirChange{}
	root.Set("etc", etc)

	var tar bytes.Buffer
	written, err := layer.Write(ctx, &tar, tree.ChangeSet{Root: root}, layer.WriteOptions{Open: blobs.Open})
	fmt.Println(written.Entries, written.Bytes, err)

	changes, stats, err := layer.Read(ctx, &tar, layer.ReadOptions{Blobs: blobs})
	fmt.Println(stats.Entries, stats.Whiteouts, err)
	for name, change := range changes.Root.Get("etc").(*tree.DirChange).All() {
		fmt.Printf("%s %T\n", name, change)
	}
	// Output:
	// 2 6 <nil>
	// 2 1 <nil>
	// issue tree.Remove
	// motd tree.Put
}
