package embedded

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/image/registry"
	"github.com/inlaybuild/inlay/internal/compress"
	"github.com/inlaybuild/inlay/internal/layer"
	"github.com/inlaybuild/inlay/tree"
)

// RootAttr gives the attributes that an image of a registry gives the root: those of
// the last layer that begins with an entry for it. No snapshot of a daemon keeps
// them. It costs the beginning of each layer, once.
func (l local) RootAttr(ctx context.Context, ref string, p image.Platform) (tree.Attr, error) {
	usual := tree.Empty().Attr()
	where, err := registry.ParseRef(ref)
	if err != nil {
		return usual, err
	}
	repo := l.engine.client(where, false).Repository(where, registry.RepositoryOptions{})
	d, err := repo.Resolve(ctx, "")
	if err != nil {
		return usual, err
	}
	img, err := image.Find(ctx, repo, d, &p)
	if err != nil {
		return usual, err
	}
	key := img.Descriptor().Digest
	if node, err := l.Recall(ctx, key); err != nil || len(node) > 0 {
		t, loadErr := tree.Load(ctx, &oneNode{node}, digest.Of(node))
		if err == nil && loadErr == nil {
			return t.Attr(), nil
		}
	}
	a, err := rootAttr(ctx, repo, img.Layers())
	if err != nil {
		return usual, fmt.Errorf("the root of %s: %w", ref, err)
	}
	var node []byte
	_, err = tree.Save(ctx, tree.Empty().With(a), nil, func(_ digest.Digest, b []byte) error {
		node = b
		return nil
	})
	if err != nil {
		return a, err
	}
	return a, l.Remember(ctx, map[digest.Digest][]byte{key: node})
}

// oneNode is a source of one node.
type oneNode struct{ node []byte }

// Node gives it.
func (n *oneNode) Node(context.Context, digest.Digest) ([]byte, error) { return n.node, nil }

// beginning is how much of a layer is read for its first entry.
const beginning = 64 << 10

func rootAttr(ctx context.Context, repo *registry.Repository, layers []image.Layer) (tree.Attr, error) {
	for _, l := range slices.Backward(layers) {
		a, ok, err := firstEntry(ctx, repo, l)
		if ok || err != nil {
			return a, err
		}
	}
	return tree.Empty().Attr(), nil
}

// firstEntry gives the attributes of the first entry of a layer, if it is the root.
func firstEntry(ctx context.Context, repo *registry.Repository, l image.Layer) (a tree.Attr, ok bool, err error) {
	if l.Size == 0 {
		return a, false, nil
	}
	r, err := repo.OpenRange(ctx, l.Descriptor, 0, min(l.Size, beginning))
	if err != nil {
		return a, false, err
	}
	defer r.Close()
	z, err := compress.NewReader(r, compress.Limits{})
	if err != nil {
		return a, false, err
	}
	defer z.Close()
	h, err := tar.NewReader(z).Next()
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return a, false, nil
	}
	if err != nil || h.Typeflag != tar.TypeDir || path.Clean("/"+h.Name) != "/" {
		return a, false, err
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	h.Format = tar.FormatPAX
	if err := errors.Join(w.WriteHeader(h), w.Close()); err != nil {
		return a, false, err
	}
	t, _, err := layer.ReadTree(ctx, &b, layer.ReadOptions{})
	return t.Attr(), err == nil, err
}
