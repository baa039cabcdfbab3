//go:build linux

package checkout

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/erofs"
	"github.com/inlaybuild/inlay/tree"
)

// Capabilities says which methods work, and of those that do not, why.
type Capabilities struct {
	// Failed has the error of each method that was tried and does not work.
	Failed map[Method]error
	best   Method
}

// Best is the best method that works.
func (c Capabilities) Best() Method { return c.best }

// Probe finds the best method for roots in dir, by mounting a small tree with
// each, the best first, until one shows it. It costs a millisecond for each.
func Probe(ctx context.Context, dir string) (c Capabilities, err error) {
	run, err := newRun(dir)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, removeAll(run.dir), run.release()) }()
	blobs := filepath.Join(run.dir, "blobs")
	content := []byte("inlay")
	blob := blobs + erofs.BlobPath(digest.Of(content))
	if err := os.MkdirAll(filepath.Dir(blob), 0o700); err != nil {
		return c, err
	}
	if err := os.WriteFile(blob, content, 0o400); err != nil {
		return c, err
	}
	d := tree.NewDraft(tree.Empty())
	d.Put("file", tree.File{Size: int64(len(content)), Content: digest.Of(content), Attributes: tree.Attr{Mode: 0o640}})
	old, err := d.Tree(ctx)
	if err != nil {
		return c, err
	}
	d.Put("link", tree.Symlink{Target: "file", Attributes: tree.Attr{Mode: 0o777}})
	now, err := d.Tree(ctx)
	if err != nil {
		return c, err
	}
	c.Failed = map[Method]error{}
	for m := EROFS; m < Plain; m++ {
		err := try(ctx, m, dir, blobs, old, now, content)
		if err == nil {
			c.best = m
			return c, nil
		}
		if ctx.Err() != nil {
			return c, ctx.Err()
		}
		c.Failed[m] = err
	}
	c.best = Plain
	return c, nil
}

// try mounts now, near old, by one method, and reads the file in it.
func try(ctx context.Context, m Method, dir, blobs string, old, now tree.Tree, content []byte) error {
	o := Options{BlobsDir: blobs, RootsDir: dir, Method: m}
	r, err := New(ctx, o)
	if err != nil {
		return err
	}
	root, err := r.Mount(ctx, now, MountOptions{Near: []tree.Tree{old}})
	if err != nil {
		return errors.Join(err, r.Close())
	}
	path := filepath.Join(root.Path, "link")
	got, err := os.ReadFile(path)
	if err == nil && string(got) != string(content) {
		err = fmt.Errorf("a file shows %q where %q was written", got, content)
	}
	if err == nil {
		err = os.WriteFile(path, []byte("x"), 0)
	}
	return errors.Join(err, root.Unmount(), root.Close(), r.Close())
}
