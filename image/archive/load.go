package archive

import (
	"encoding/json"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/distribution/reference"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/image/layout"
	"github.com/inlaybuild/inlay/internal/compress"
)

// loadLayout reads the OCI layout in the tar. The error is errPartial when an
// image that its index names is not there.
func (a *Archive) loadLayout() error {
	marker, err := a.tar.read("oci-layout", 4096)
	if err != nil {
		return err
	}
	if err := layout.CheckMarker(marker); err != nil {
		return err
	}
	body, err := a.tar.read("index.json", image.MaxManifestSize)
	if err != nil {
		return err
	}
	x, err := image.ParseIndex(image.MediaTypeIndex, body)
	if err != nil {
		return fmt.Errorf("index.json: %w", err)
	}
	for _, d := range x.Manifests {
		if _, ok := a.tar.find("blobs/sha256/" + d.Digest.Hex()); !ok {
			return fmt.Errorf("manifest %s: %w", d.Digest, errPartial)
		}
	}
	a.index = x
	return nil
}

// saved is an item of manifest.json.
type saved struct {
	Config   string
	RepoTags []string
	Layers   []string
}

// maxSaved is how many images, and layers of one, manifest.json may list.
const maxSaved = 10_000

// loadDocker reads manifest.json, and makes an OCI manifest for each image that
// it lists.
func (a *Archive) loadDocker() error {
	body, err := a.tar.read("manifest.json", image.MaxManifestSize)
	if err != nil {
		return err
	}
	var items []saved
	if err := json.Unmarshal(body, &items); err != nil {
		return fmt.Errorf("%w: manifest.json: %w", ErrNotArchive, err)
	}
	if len(items) > maxSaved {
		return fmt.Errorf("%w: manifest.json lists more than %d images", ErrNotArchive, maxSaved)
	}
	x := image.Index{MediaType: image.MediaTypeIndex}
	layers := map[string]image.Descriptor{} // by name, of compressed ones, which are read to be named
	for i, item := range items {
		d, err := a.loadSaved(item, layers)
		if err != nil {
			return fmt.Errorf("manifest.json: image %d: %w", i, err)
		}
		if len(item.RepoTags) == 0 {
			x.Manifests = append(x.Manifests, d)
		}
		for _, tag := range item.RepoTags {
			e := d.WithAnnotation(image.AnnotationRefName, tag)
			if n, err := reference.ParseNormalizedNamed(tag); err == nil {
				e = e.WithAnnotation(image.AnnotationImageName, reference.TagNameOnly(n).String())
			}
			x.Manifests = append(x.Manifests, e)
		}
	}
	a.index = x
	return nil
}

func (a *Archive) loadSaved(item saved, known map[string]image.Descriptor) (image.Descriptor, error) {
	body, err := a.tar.read(item.Config, image.MaxConfigSize)
	if err != nil {
		return image.Descriptor{}, fmt.Errorf("config: %w", err)
	}
	if want, err := digest.ParseHex(strings.TrimSuffix(path.Base(item.Config), ".json")); err == nil && want != digest.Of(body) {
		return image.Descriptor{}, fmt.Errorf("config: %w: %s", digest.ErrMismatch, item.Config)
	}
	c, err := image.ParseConfig(body)
	if err != nil {
		return image.Descriptor{}, fmt.Errorf("config %.200q: %w", item.Config, err)
	}
	ids := c.DiffIDs()
	if len(ids) != len(item.Layers) {
		return image.Descriptor{}, fmt.Errorf("%w: %d layers, but %d diff ids in the config", image.ErrInvalid, len(item.Layers), len(ids))
	}
	layers := make([]image.Layer, len(ids))
	for i, name := range item.Layers {
		d, ok := known[name]
		if !ok {
			if d, err = a.describe(name, ids[i]); err != nil {
				return image.Descriptor{}, fmt.Errorf("layer %d: %.200q: %w", i, name, err)
			}
			if d.MediaType != image.MediaTypeLayer {
				known[name] = d
			}
		}
		layers[i] = image.Layer{Descriptor: d, DiffID: ids[i]}
	}
	made, err := image.Assemble(c, layers, image.AssembleOptions{})
	if err != nil {
		return image.Descriptor{}, err
	}
	for d, b := range made.Blobs {
		a.blobs[d] = blob{body: b}
	}
	return made.Descriptor, nil
}

// describe names the layer in a file. A plain tar has its diff id for a digest;
// a compressed one is read, unless its name is its digest. What a name claims,
// reading verifies.
func (a *Archive) describe(name string, id image.DiffID) (image.Descriptor, error) {
	f, ok := a.tar.find(name)
	if !ok {
		return image.Descriptor{}, errPartial
	}
	prefix := make([]byte, 4)
	n, err := a.tar.open(f).ReadAt(prefix, 0)
	if err != nil && err != io.EOF {
		return image.Descriptor{}, err
	}
	d := image.Descriptor{MediaType: image.MediaTypeLayer, Digest: id, Size: f.size}
	switch compress.Detect(prefix[:n]) {
	case compress.Gzip:
		d.MediaType = image.MediaTypeLayerGzip
	case compress.Zstd:
		d.MediaType = image.MediaTypeLayerZstd
	}
	if d.MediaType != image.MediaTypeLayer {
		named, err := digest.ParseHex(path.Base(name))
		if err != nil {
			h := digest.NewHasher()
			if _, err := io.Copy(h, a.tar.open(f)); err != nil {
				return image.Descriptor{}, err
			}
			named = h.Digest()
		}
		d.Digest = named
	}
	a.blobs[d.Digest] = blob{file: &f}
	return d, nil
}
