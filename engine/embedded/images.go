package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/inlaybuild/inlay/tree"
)

// ImageInfo describes a name in the store.
type ImageInfo struct {
	Name      string
	Tree      digest.Digest
	Image     *image.Descriptor // nil for a tree that is no image
	Platforms []string
	Layers    int
	Entries   int64
	Bytes     int64
	Set       time.Time
}

// Images describes all names in the store.
func (e *Engine) Images(ctx context.Context) ([]ImageInfo, error) {
	refs, err := e.store.Refs(ctx)
	if err != nil {
		return nil, err
	}
	var out []ImageInfo
	for _, r := range refs {
		n, err := readNamed(r.Record)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", r.Name, err)
		}
		i, err := n.platform("")
		if err != nil {
			i = n.Images[0]
		}
		info := ImageInfo{Name: r.Name, Tree: i.Tree, Image: i.Manifest, Layers: len(i.Layers), Set: r.Time}
		if info.Platforms, err = n.platforms(); err != nil {
			return nil, err
		}
		if t, err := tree.Load(ctx, e.source, i.Tree); err == nil {
			info.Entries, info.Bytes = t.Count(), t.Bytes()
		}
		out = append(out, info)
	}
	return out, nil
}

// Remove forgets a name. What it stood for goes with the next collection.
func (e *Engine) Remove(ctx context.Context, name string) error {
	err := e.store.DeleteRef(ctx, name)
	if errors.Is(err, store.ErrMissing) {
		return fmt.Errorf("no name %s in the store: `inlay images` lists those that there are: %w", name, fs.ErrNotExist)
	}
	return err
}
