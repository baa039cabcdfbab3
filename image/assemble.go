package image

import (
	"fmt"
	"slices"
	"time"

	"github.com/inlaybuild/inlay/digest"
)

// AssembleOptions are what [Assemble] may be told.
type AssembleOptions struct {
	// Docker writes Docker's schema 2 media types in place of OCI's. Layers
	// compressed by zstd have none there and are refused.
	Docker bool
	// Annotations of the manifest. Docker's schema 2 has none.
	Annotations map[string]string
}

// Assembled is a new image's manifest and config, to be pushed with its layers.
type Assembled struct {
	Descriptor Descriptor // of the manifest, with its platform
	Manifest   Manifest
	Config     Config
	// Blobs are the bytes of manifest and config, for [Stage].
	Blobs map[digest.Digest][]byte
}

// Assemble makes the manifest of an image with the config c and these layers,
// whose diff ids must be those of c, in order. The same arguments give the same
// bytes.
//
// The manifest is an OCI one whatever the base was: the media types of a Docker
// base's layers become OCI's for the same bytes, so every layer keeps its digest
// and nothing is uploaded again. An image whose config and layers are a base's
// unchanged should be copied as it is, to keep its digest too.
func Assemble(c Config, layers []Layer, opt AssembleOptions) (Assembled, error) {
	ids := c.DiffIDs()
	if !slices.EqualFunc(layers, ids, func(l Layer, id DiffID) bool { return l.DiffID == id }) {
		return Assembled{}, fmt.Errorf("%w: the layers are not those of the config's diff ids", ErrInvalid)
	}
	convert := func(t string) (string, error) { return ociType(t), nil }
	m := Manifest{SchemaVersion: 2, MediaType: MediaTypeManifest, Annotations: opt.Annotations, Layers: []Descriptor{}}
	if opt.Docker {
		m.MediaType, m.Annotations = MediaTypeDockerManifest, nil
		convert = func(t string) (string, error) {
			d, ok := dockerType(t)
			if !ok {
				return "", &MediaTypeError{Got: t, Want: "a type that Docker's schema 2 has (write an OCI image, or compress by gzip)"}
			}
			return d, nil
		}
	}
	body := c.Bytes()
	m.Config = Describe(MediaTypeConfig, body)
	m.Config.MediaType, _ = convert(MediaTypeConfig)
	for i, l := range layers {
		d := Descriptor{Digest: l.Digest, Size: l.Size}
		var err error
		if d.MediaType, err = convert(l.MediaType); err != nil {
			return Assembled{}, fmt.Errorf("layer %d: %w", i, err)
		}
		if l.IsForeign() {
			d.URLs = l.URLs
		}
		if err := d.check(); err != nil {
			return Assembled{}, fmt.Errorf("layer %d: %w", i, err)
		}
		m.Layers = append(m.Layers, d)
	}
	b, err := m.Bytes()
	if err != nil {
		return Assembled{}, fmt.Errorf("manifest: %w", err)
	}
	desc := Describe(m.MediaType, b)
	p := c.Platform()
	desc.Platform = &p
	return Assembled{
		Descriptor: desc, Manifest: m, Config: c,
		Blobs: map[digest.Digest][]byte{desc.Digest: b, m.Config.Digest: body},
	}, nil
}

// AppendLayer makes the image of base with one layer more: c is base's config,
// edited or not, without the layer; created, in whole seconds, is the time of
// the image and of the layer. See [Assemble].
func AppendLayer(base Image, c Config, l Layer, by string, created time.Time) (Assembled, error) {
	at := created.UTC().Truncate(time.Second)
	c, err := c.Append(l.DiffID, History{Created: &at, CreatedBy: by})
	if err != nil {
		return Assembled{}, err
	}
	if c, err = c.WithCreated(at); err != nil {
		return Assembled{}, err
	}
	return Assemble(c, append(base.Layers(), l), AssembleOptions{})
}

// AssembleIndex makes an index of images, each with its platform, in an order
// that does not depend on theirs. Blobs holds the index alone.
func AssembleIndex(images []Descriptor) (Descriptor, map[digest.Digest][]byte, error) {
	x := Index{MediaType: MediaTypeIndex}
	for _, d := range images {
		if err := d.check(); err != nil {
			return Descriptor{}, nil, err
		}
		e := d.Bare()
		e.Platform = d.Platform
		x.Manifests = append(x.Manifests, e)
	}
	b, err := x.Sorted().Bytes()
	if err != nil {
		return Descriptor{}, nil, fmt.Errorf("index: %w", err)
	}
	d := Describe(MediaTypeIndex, b)
	return d, map[digest.Digest][]byte{d.Digest: b}, nil
}
