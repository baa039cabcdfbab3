package embedded

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/runs"
	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/inlaybuild/inlay/tree"
)

// imageRecord is what the store remembers of an image of one platform, or of a
// tree that is not one.
type imageRecord struct {
	Tree     digest.Digest
	Config   []byte            // as the image has it: its digest names it
	Layers   []image.Layer     `json:",omitempty"`
	Manifest *image.Descriptor `json:",omitempty"` // nil for a tree that is no image
	Origin   string            `json:",omitempty"` // the reference that it was pulled by
	Base     *runs.Base        `json:",omitempty"` // of a tree that was made from an image
}

// named is the body of a ref: the images that it stands for, of different
// platforms, and the index that names them, if there is one.
type named struct {
	Images []imageRecord
	// Index names the images of all platforms; with an image of one platform
	// that is all there is, its manifest. Nil when others may be missing here.
	Index *image.Descriptor `json:",omitempty"`
	// Beside is what the index names that is no image that can be unpacked:
	// attestations, other indexes.
	Beside []digest.Digest `json:",omitempty"`
}

// roots gives the record of the store that keeps all that is named.
func (n named) roots() (store.Record, error) {
	data, err := json.Marshal(n)
	if err != nil {
		return store.Record{}, fmt.Errorf("encode the record of an image: %w", err)
	}
	r := store.Record{Data: data}
	if n.Index != nil {
		r.Blobs = append(r.Blobs, n.Index.Digest)
	}
	r.Blobs = append(r.Blobs, n.Beside...)
	for _, i := range n.Images {
		r.Trees = append(r.Trees, i.Tree)
		if b := i.Base; b != nil {
			r.Trees = append(r.Trees, b.Tree)
			for _, l := range b.Layers {
				r.Blobs = append(r.Blobs, l.Digest)
			}
			for _, d := range []*image.Descriptor{b.Image, b.Index} {
				if d != nil {
					r.Blobs = append(r.Blobs, d.Digest)
				}
			}
			if b.Image != nil && !b.Config.IsZero() {
				r.Blobs = append(r.Blobs, b.Config)
			}
		}
		if i.Manifest == nil {
			continue
		}
		r.Blobs = append(r.Blobs, i.Manifest.Digest, digest.Of(i.Config))
		for _, l := range i.Layers {
			r.Blobs = append(r.Blobs, l.Digest)
		}
	}
	return r, nil
}

func readNamed(r store.Record) (named, error) {
	var n named
	if err := json.Unmarshal(r.Data, &n); err != nil {
		return n, fmt.Errorf("the record of an image is not understood (%w): import it again", err)
	}
	if len(n.Images) == 0 {
		return n, errors.New("the record of an image names none: import it again")
	}
	return n, nil
}

// platforms gives the platforms of all images.
func (n named) platforms() ([]string, error) {
	var out []string
	for _, i := range n.Images {
		c, err := image.ParseConfig(i.Config)
		if err != nil {
			return nil, err
		}
		out = append(out, image.FormatPlatform(c.Platform()))
	}
	return out, nil
}

// platform gives the image of a platform; "" is the host's.
func (n named) platform(want string) (imageRecord, error) {
	if len(n.Images) == 1 && want == "" {
		return n.Images[0], nil
	}
	p := image.HostPlatform()
	if want != "" {
		var err error
		if p, err = image.ParsePlatform(want); err != nil {
			return imageRecord{}, err
		}
	}
	var x image.Index
	for _, i := range n.Images {
		c, err := image.ParseConfig(i.Config)
		if err != nil {
			return imageRecord{}, err
		}
		q := c.Platform()
		x.Manifests = append(x.Manifests, image.Descriptor{MediaType: image.MediaTypeManifest, Digest: digest.Of(i.Config), Platform: &q})
	}
	d, err := image.Select(x, &p)
	if err != nil {
		return imageRecord{}, err
	}
	for _, i := range n.Images {
		if digest.Of(i.Config) == d.Digest {
			return i, nil
		}
	}
	return imageRecord{}, image.ErrNoPlatform
}

// result gives what a record stands for. The tree is loaded as it is needed.
func (e *Engine) result(ctx context.Context, n named, r imageRecord) (engine.Result, error) {
	t, err := tree.Load(ctx, e.source, r.Tree)
	if err != nil {
		return engine.Result{}, err
	}
	c, err := image.ParseConfig(r.Config)
	if err != nil {
		return engine.Result{}, err
	}
	out := engine.Result{Tree: t, Origin: t, Config: c, Base: engine.Base{Tree: tree.Empty()}}
	if r.Manifest != nil {
		out.Base = engine.Base{
			Tree: t, Layers: r.Layers, Image: r.Manifest, Config: digest.Of(r.Config),
			Index: n.Index, Origin: r.Origin,
		}
	}
	if b := r.Base; b != nil {
		out.Base = engine.Base{Layers: b.Layers, Image: b.Image, Config: b.Config, Index: b.Index, Origin: b.Origin}
		if out.Base.Tree, err = tree.Load(ctx, e.source, b.Tree); err != nil {
			return engine.Result{}, err
		}
		out.Origin = out.Base.Tree // a root can be made from that of the image
	}
	return out, nil
}

// madeLayer is a layer that was made of a change set.
type madeLayer struct {
	image.Layer
	LeftOut []string `json:",omitempty"` // paths that a layer cannot hold: sockets
}

// record gives what the store remembers of a layer that was made.
func (l madeLayer) record() (store.Record, error) {
	data, err := json.Marshal(l)
	if err != nil {
		return store.Record{}, fmt.Errorf("encode the record of a layer: %w", err)
	}
	return store.Record{Blobs: []digest.Digest{l.Digest}, Data: data}, nil
}

func readLayerRecord(r store.Record) (madeLayer, bool) {
	var l madeLayer
	err := json.Unmarshal(r.Data, &l)
	return l, err == nil && !l.Digest.IsZero()
}
