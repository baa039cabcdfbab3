package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/image/archive"
	"github.com/inlaybuild/inlay/image/layout"
	"github.com/inlaybuild/inlay/image/registry"
	"github.com/inlaybuild/inlay/internal/compress"
	"github.com/inlaybuild/inlay/internal/layer"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sync/errgroup"
)

// ImportOptions say what is imported.
type ImportOptions struct {
	Platform     string // "os/arch[/variant]"; "" is the host's
	AllPlatforms bool   // every platform of a manifest list
	PlainHTTP    bool   // pull without TLS; from this machine it is not needed
	Progress     engine.Sink
}

// Imported is what an import brought.
type Imported struct {
	Name      string
	Tree      digest.Digest // of the host's platform, or the only one
	Image     *image.Descriptor
	Platforms []string
	Layers    int
	Entries   int64
	Bytes     int64
}

// Import brings an image or a tree into the store under a name. What the name
// stood for before is forgotten.
func (e *Engine) Import(ctx context.Context, from engine.Place, name string, o ImportOptions) (Imported, error) {
	if err := CheckName(name); err != nil {
		return Imported{}, err
	}
	n, err := e.readNamed(ctx, from, o)
	if err != nil {
		return Imported{}, fmt.Errorf("import %s: %w", from, err)
	}
	rec, err := n.roots()
	if err != nil {
		return Imported{}, err
	}
	if err := e.store.SetRef(ctx, name, rec); err != nil {
		return Imported{}, fmt.Errorf("name %s: %w", name, err)
	}
	i, err := n.platform(o.Platform)
	if err != nil {
		i = n.Images[0]
	}
	t, err := tree.Load(ctx, e.source, i.Tree)
	if err != nil {
		return Imported{}, err
	}
	out := Imported{Name: name, Tree: i.Tree, Image: i.Manifest, Layers: len(i.Layers), Entries: t.Count(), Bytes: t.Bytes()}
	if n.Index != nil {
		out.Image = n.Index
	}
	out.Platforms, err = n.platforms()
	return out, err
}

// CheckName tells whether something in the store can have this name: not empty,
// no control characters, nothing that would be read as another kind of place.
func CheckName(name string) error {
	p, err := engine.ParsePlace(name)
	if err != nil {
		return err
	}
	if p.Scheme != engine.SchemeName {
		return fmt.Errorf("%q cannot be a name in the store: it says where something is", name)
	}
	for _, c := range name {
		if c < ' ' || c == 0x7f || c == '@' && len(name) > 512 {
			return fmt.Errorf("%q cannot be a name: it has control characters", name)
		}
	}
	return nil
}

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

// readNamed reads a place into the store, without a name for it yet.
func (e *Engine) readNamed(ctx context.Context, from engine.Place, o ImportOptions) (named, error) {
	switch from.Scheme {
	case engine.SchemeDir, engine.SchemeTar, engine.SchemeScratch, engine.SchemeDigest:
		return e.importTree(ctx, from, o)
	}
	n, _, err := e.readImages(ctx, from, o, progressOf(o.Progress))
	return n, err
}

// importTree reads a tree that is no image.
func (e *Engine) importTree(ctx context.Context, from engine.Place, o ImportOptions) (named, error) {
	sv, err := e.save(ctx)
	if err != nil {
		return named{}, err
	}
	defer sv.ingest.Abort()
	t := tree.Empty()
	switch from.Scheme {
	case engine.SchemeDigest:
		d, err := digest.Parse(from.Path)
		if err != nil {
			return named{}, err
		}
		if t, err = tree.Load(ctx, e.source, d); err != nil {
			return named{}, err
		}
	case engine.SchemeDir, engine.SchemeTar:
		if t, err = e.readTree(ctx, sv, from, progressOf(o.Progress)); err != nil {
			return named{}, err
		}
	}
	d, err := sv.add(ctx, t)
	if err != nil {
		return named{}, err
	}
	return named{Images: []imageRecord{{Tree: d, Config: defaultConfig()}}}, sv.commit(ctx, store.Changes{})
}

// readImages reads the images of a layout, an archive or a registry: one, or
// those of all platforms. Cached tells that nothing had to be unpacked.
func (e *Engine) readImages(ctx context.Context, from engine.Place, o ImportOptions, p progress) (n named, cached bool, err error) {
	src, tag, end, err := e.openSource(from, o)
	if err != nil {
		return named{}, false, err
	}
	defer func() { err = errors.Join(err, end()) }()
	desc, err := src.Resolve(ctx, tag)
	if err != nil {
		return named{}, false, err
	}
	var images []image.Image
	if o.AllPlatforms {
		images, err = image.FindAll(ctx, src, desc)
		if desc.IsIndex() {
			index := desc.Bare()
			n.Index = &index
		}
	} else {
		var platform *image.Platform
		if o.Platform != "" {
			q, err := image.ParsePlatform(o.Platform)
			if err != nil {
				return named{}, false, err
			}
			platform = &q
		}
		var one image.Image
		one, err = image.Find(ctx, src, desc, platform)
		images = []image.Image{one}
	}
	if err != nil {
		return named{}, false, err
	}
	cached = true
	for _, img := range images {
		rec, was, err := e.unpack(ctx, img, p)
		if err != nil {
			return named{}, false, err
		}
		if from.Scheme == engine.SchemeName {
			rec.Origin = from.Path
		}
		cached = cached && was
		n.Images = append(n.Images, rec)
	}
	if n.Index != nil {
		err = e.keepManifest(ctx, src, *n.Index)
	}
	return n, cached, err
}

func (e *Engine) keepManifest(ctx context.Context, src image.Opener, d image.Descriptor) error {
	b, err := image.ReadAll(ctx, src, d, image.MaxManifestSize)
	if err != nil {
		return err
	}
	_, err = e.keep(ctx, b)
	return err
}

// openSource opens where images are; end closes it.
func (e *Engine) openSource(from engine.Place, o ImportOptions) (src image.Source, tag string, end func() error, err error) {
	none := func() error { return nil }
	switch from.Scheme {
	case engine.SchemeOCI:
		l, err := layout.Open(from.Path)
		if err != nil {
			return nil, "", none, err
		}
		return l, from.Tag, l.Close, nil
	case engine.SchemeOCIArchive, engine.SchemeDockerArchive:
		opt := archive.ReadOptions{MaxBytes: e.options.Limits.MaxBytes}
		var a *archive.Archive
		if from.Path == "-" {
			a, err = archive.Read(e.options.Stdin, opt)
		} else {
			a, err = archive.Open(from.Path, opt)
		}
		if err != nil {
			return nil, "", none, err
		}
		return a, from.Tag, a.Close, nil
	case engine.SchemeName:
		ref, err := registry.ParseRef(from.Path)
		if err != nil {
			return nil, "", none, err
		}
		return e.client(ref, o.PlainHTTP).Repository(ref, registry.RepositoryOptions{}), "", none, nil
	}
	return nil, "", none, fmt.Errorf("there are no images in %s", from)
}

func (e *Engine) client(ref registry.Ref, plain bool) *registry.Client {
	if plain {
		return registry.New(registry.Options{PlainHTTP: []string{ref.Domain()}})
	}
	return e.remote
}

// unpackKey is the action key of making a tree of an image's layers.
func unpackKey(img image.Image) digest.Digest {
	return digest.Of([]byte("inlay unpack 1\n" + img.Descriptor().Digest.String()))
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
	d := img.Descriptor().Bare()
	rec = imageRecord{Config: img.Config().Bytes(), Layers: img.Layers(), Manifest: &d}
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
	return rec, false, sv.commit(ctx, store.Changes{Results: map[digest.Digest]store.Record{key: kept}})
}

// unpackLayers reads a few layers at a time, and applies them in their order.
func (e *Engine) unpackLayers(ctx context.Context, sv *saving, img image.Image, p progress) (tree.Tree, error) {
	const atOnce = 3
	layers := img.Layers()
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
				return fmt.Errorf("layer %d (%s): %w", i+1, l.Digest, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return tree.Tree{}, err
	}
	t := tree.Empty()
	for i, c := range changes {
		var err error
		if t, err = compose.Apply(ctx, t, c); err != nil {
			return tree.Tree{}, fmt.Errorf("layer %d (%s): %w", i+1, layers[i].Digest, err)
		}
		changes[i] = tree.ChangeSet{}
	}
	return t, nil
}

// readLayer reads one layer, and keeps its compressed bytes.
func (e *Engine) readLayer(ctx context.Context, sv *saving, img image.Image, l image.Layer, m *meter) (c tree.ChangeSet, err error) {
	rc, err := img.OpenLayer(ctx, l)
	if err != nil {
		return c, err
	}
	defer rc.Close()
	blob := sv.ingest.Create()
	defer blob.Discard()
	copied := newAside(blob)
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
	_, _, err = blob.Finish(ctx)
	return c, err
}

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
		return fmt.Errorf("no name %s in the store: %w", name, err)
	}
	return err
}
