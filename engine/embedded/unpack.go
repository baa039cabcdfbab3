package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/internal/compress"
	"github.com/inlaybuild/inlay/internal/layer"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sync/errgroup"
)

// unpackKey is the action key of making a tree of an image's layers.
func unpackKey(img image.Image) digest.Digest {
	return unpackKeyOf(img.Descriptor().Digest)
}

func unpackKeyOf(manifest digest.Digest) digest.Digest {
	return digest.Of([]byte("inlay unpack 1\n" + manifest.String()))
}

// unpack makes the tree of an image, and keeps its blobs as they are.
func (e *Engine) unpack(ctx context.Context, img image.Image, p progress) (rec imageRecord, cached bool, err error) {
	key := unpackKey(img)
	if r, ok, err := e.store.Result(ctx, key); err != nil {
		return rec, false, err
	} else if ok {
		if n, err := readNamed(r); err == nil {
			return n.Images[0], true, nil
		}
	}
	sv, err := e.save(ctx)
	if err != nil {
		return rec, false, err
	}
	defer sv.ingest.Abort()
	t, err := e.unpackLayers(ctx, sv, img, p)
	if err != nil {
		return rec, false, err
	}
	layers := img.Layers()
	d := img.Descriptor().Bare()
	rec = imageRecord{Config: img.Config().Bytes(), Layers: layers, Manifest: &d}
	manifest, err := image.ReadAll(ctx, img.Source(), d, image.MaxManifestSize)
	if err != nil {
		return rec, false, err
	}
	for _, b := range [][]byte{manifest, rec.Config} {
		if _, _, err := sv.ingest.PutBytes(ctx, b); err != nil {
			return rec, false, err
		}
	}
	if rec.Tree, err = sv.add(ctx, t); err != nil {
		return rec, false, err
	}
	kept, err := named{Images: []imageRecord{rec}}.roots()
	if err != nil {
		return rec, false, err
	}
	results := map[digest.Digest]store.Record{key: kept}
	if len(layers) > 0 {
		results[layersKey(layers)] = store.Record{Trees: []digest.Digest{rec.Tree}, Blobs: layerDigests(layers)}
	}
	if err := sv.commit(ctx, store.Changes{Results: results}); err != nil {
		return rec, false, err
	}
	p.wrote(sv)
	return rec, false, nil
}

// layersKey is the action key of applying layers to nothing. That the bytes of
// each layer are what its config says is part of what is known by it.
func layersKey(layers []image.Layer) digest.Digest {
	b := []byte("inlay layers 1\n")
	for _, l := range layers {
		b = fmt.Appendf(b, "%s %d %s\n", l.Digest, l.Size, l.DiffID)
	}
	return digest.Of(b)
}

func layerDigests(layers []image.Layer) []digest.Digest {
	out := make([]digest.Digest, len(layers))
	for i, l := range layers {
		out[i] = l.Digest
	}
	return out
}

// known gives the tree of as many of the first layers as the store knows one of,
// and how many these are.
func (e *Engine) known(ctx context.Context, layers []image.Layer) (tree.Tree, int, error) {
	keys := make([]digest.Digest, len(layers))
	for i := range layers {
		keys[i] = layersKey(layers[:i+1])
	}
	results, err := e.store.Results(ctx, keys)
	if err != nil {
		return tree.Tree{}, 0, err
	}
	for n := len(keys); n > 0; n-- {
		r, ok := results[keys[n-1]]
		if !ok || len(r.Trees) != 1 {
			continue
		}
		t, err := tree.Load(ctx, e.source, r.Trees[0])
		if errors.Is(err, tree.ErrMissingNode) {
			continue
		}
		return t, n, err
	}
	return tree.Empty(), 0, nil
}

// unpackLayers reads a few layers at a time, and applies them in their order.
// What images share from their first layer on is read once.
func (e *Engine) unpackLayers(ctx context.Context, sv *saving, img image.Image, p progress) (tree.Tree, error) {
	const atOnce = 3
	t, known, err := e.known(ctx, img.Layers())
	if err != nil {
		return tree.Tree{}, err
	}
	layers := img.Layers()[known:]
	total := int64(0)
	for _, l := range layers {
		total += l.Size
	}
	m := p.meter("unpack", total)
	changes := make([]tree.ChangeSet, len(layers))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(atOnce)
	for i, l := range layers {
		g.Go(func() (err error) {
			changes[i], err = e.readLayer(gctx, sv, img, l, m)
			if err != nil {
				return fmt.Errorf("layer %d (%s): %w", known+i+1, l.Digest, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return tree.Tree{}, err
	}
	for i, c := range changes {
		if t, err = compose.Patch(ctx, t, c); err != nil {
			return tree.Tree{}, fmt.Errorf("layer %d (%s): %w", known+i+1, layers[i].Digest, err)
		}
		changes[i] = tree.ChangeSet{}
	}
	return t, nil
}

// readLayer reads one layer, and keeps its compressed bytes.
func (e *Engine) readLayer(ctx context.Context, sv *saving, img image.Image, l image.Layer, m *meter) (c tree.ChangeSet, err error) {
	rc, blob, err := e.openLayer(ctx, sv, img, l)
	if err != nil {
		return c, err
	}
	defer rc.Close()
	var keep io.Writer = io.Discard
	if blob != nil {
		defer blob.Discard()
		keep = blob
	}
	copied := newAside(keep)
	defer copied.Close()
	raw := io.TeeReader(&meteredReader{rc, m}, copied)
	z, err := compress.NewReader(raw, e.compressLimits())
	if err != nil {
		return c, err
	}
	defer z.Close()
	h := digest.NewHasher()
	hashed := newAside(h)
	defer hashed.Close()
	c, _, err = layer.Read(ctx, io.TeeReader(z, hashed), layer.ReadOptions{Blobs: sv.ingest, Limits: e.layerLimits()})
	if err != nil {
		return c, err
	}
	if _, err := io.Copy(io.Discard, raw); err != nil { // what decompression left
		return c, err
	}
	if err := errors.Join(copied.Close(), hashed.Close()); err != nil {
		return c, err
	}
	if got := h.Digest(); got != l.DiffID {
		return c, fmt.Errorf("%w: without compression it is %s, the config says %s", digest.ErrMismatch, got, l.DiffID)
	}
	m.add(0, 1)
	if blob == nil {
		return c, nil
	}
	got, _, err := blob.Finish(ctx)
	if err == nil && got != l.Digest {
		err = fmt.Errorf("%w: its bytes are %s", digest.ErrMismatch, got)
	}
	return c, err
}

// openLayer opens a layer: the store's own, if it has it; otherwise with the
// blob that it is to be written to.
func (e *Engine) openLayer(ctx context.Context, sv *saving, img image.Image, l image.Layer) (io.ReadCloser, *store.BlobWriter, error) {
	missing, err := e.store.Missing(ctx, []digest.Digest{l.Digest})
	if err != nil {
		return nil, nil, err
	}
	if len(missing) == 0 {
		rc, err := e.Open(ctx, l.Descriptor)
		return rc, nil, err
	}
	rc, err := img.OpenLayer(ctx, l)
	if err != nil {
		return nil, nil, err
	}
	return rc, sv.ingest.Create(), nil
}
