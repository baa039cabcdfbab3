// Package image describes container images: a manifest that names a config and
// layers, and an index that names one manifest for each platform.
//
// An [Image] is a value: its manifest and config are read and checked, its
// layers are opaque compressed blobs that are opened when they are wanted.
// Images come from a [Source] and go into a [Sink]; a registry (package
// registry), an OCI layout (package layout) and an archive (package archive)
// are sources, sinks or both. Every byte that a source hands out is verified
// against its descriptor.
//
// What this package writes is deterministic: the same input gives the same
// bytes, and therefore the same digests, on any machine on any day.
package image

import (
	"context"
	"fmt"
	"io"
)

// Image is an image of one platform. Its methods cost nothing, except
// [Image.OpenLayer], which reads from the source that the image came from.
type Image struct {
	src      Opener
	desc     Descriptor
	manifest Manifest
	config   Config
	layers   []Layer
}

// Layer is a change set as a compressed tar, and the digest of that tar
// without its compression.
type Layer struct {
	Descriptor
	// DiffID is the digest of the uncompressed tar.
	DiffID DiffID
}

// Read reads the manifest that desc names and its config, and checks that they
// fit: media types, digests, sizes, one diff id for each layer. An index is
// refused with [ErrMediaType]; [Find] chooses from one. No layer is read.
func Read(ctx context.Context, src Opener, desc Descriptor) (Image, error) {
	if !desc.IsManifest() {
		return Image{}, &MediaTypeError{Got: desc.MediaType, Want: "an image manifest"}
	}
	body, err := ReadAll(ctx, src, desc, MaxManifestSize)
	if err != nil {
		return Image{}, err
	}
	m, err := ParseManifest(desc.MediaType, body)
	if err != nil {
		return Image{}, fmt.Errorf("manifest %s: %w", desc.Digest, err)
	}
	if !m.Config.IsConfig() {
		return Image{}, fmt.Errorf("manifest %s: %w", desc.Digest,
			&MediaTypeError{Got: m.Config.MediaType, Want: "a container image's config"})
	}
	if body, err = ReadAll(ctx, src, m.Config, MaxConfigSize); err != nil {
		return Image{}, err
	}
	c, err := ParseConfig(body)
	if err != nil {
		return Image{}, fmt.Errorf("config %s: %w", m.Config.Digest, err)
	}
	layers, err := pair(m, c)
	if err != nil {
		return Image{}, fmt.Errorf("manifest %s: %w", desc.Digest, err)
	}
	return Image{src: src, desc: desc, manifest: m, config: c, layers: layers}, nil
}

func pair(m Manifest, c Config) ([]Layer, error) {
	ids := c.DiffIDs()
	if len(ids) != len(m.Layers) {
		return nil, fmt.Errorf("%w: %d layers, but %d diff ids in the config", ErrInvalid, len(m.Layers), len(ids))
	}
	layers := make([]Layer, len(ids))
	for i, d := range m.Layers {
		if !d.IsLayer() {
			return nil, fmt.Errorf("layer %d: %w", i, &MediaTypeError{Got: d.MediaType, Want: "a layer"})
		}
		layers[i] = Layer{Descriptor: d, DiffID: ids[i]}
	}
	return layers, nil
}

// Descriptor names the image's manifest.
func (i Image) Descriptor() Descriptor { return i.desc }

// Manifest gives the image's manifest.
func (i Image) Manifest() Manifest { return i.manifest }

// Config gives the image's config.
func (i Image) Config() Config { return i.config }

// Layers gives the layers, lowest first.
func (i Image) Layers() []Layer { return append([]Layer(nil), i.layers...) }

// Source is where the image's blobs are read from.
func (i Image) Source() Opener { return i.src }

// OpenLayer opens the compressed bytes of a layer, verified. The caller closes
// them.
func (i Image) OpenLayer(ctx context.Context, l Layer) (io.ReadCloser, error) {
	return i.src.Open(ctx, l.Descriptor)
}
