package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/image/archive"
	"github.com/inlaybuild/inlay/image/layout"
	"github.com/inlaybuild/inlay/image/registry"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/inlaybuild/inlay/tree"
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
// stood for before is forgotten. What another name of the store stands for
// is taken from there; any other name is pulled from its registry.
func (e *Engine) Import(ctx context.Context, from engine.Place, name string, o ImportOptions) (Imported, error) {
	if err := CheckName(name); err != nil {
		return Imported{}, err
	}
	n, err := e.readNamed(ctx, from, name, o)
	if err != nil {
		return Imported{}, fmt.Errorf("import %s: %w", from, ended(ctx, err))
	}
	rec, err := n.roots()
	if err != nil {
		return Imported{}, err
	}
	if err := e.store.SetRef(ctx, name, rec); err != nil {
		return Imported{}, fmt.Errorf("name %s: %w", name, ended(ctx, err))
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

// CheckName tells whether something in the store can have this name: letters,
// digits and ._-/:@+, with a letter or a digit first, and nothing that would be
// read as another kind of place. A reference of a registry can.
func CheckName(name string) error {
	p, err := engine.ParsePlace(name)
	if err != nil {
		return err
	}
	if p.Scheme == engine.SchemeStep {
		return fmt.Errorf("%q cannot be a name in the store: it stands for a run, or a step of one", name)
	}
	if p.Scheme != engine.SchemeName {
		return fmt.Errorf("%q cannot be a name in the store: it says where something is", name)
	}
	for i, c := range []byte(name) {
		letter := '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z' || c == '[' || c == ']'
		if !letter && (i == 0 || strings.IndexByte("._-/:@+", c) < 0) {
			return fmt.Errorf("%q cannot be a name in the store: use letters, digits and ._-/:@+, with a letter or a digit first", name)
		}
	}
	return nil
}

// readNamed reads a place into the store, without a name for it yet. A name is
// one of the store, if it is not the new one itself: that is to be pulled.
func (e *Engine) readNamed(ctx context.Context, from engine.Place, name string, o ImportOptions) (named, error) {
	switch from.Scheme {
	case engine.SchemeName:
		if from.Path == name {
			break
		}
		ref, err := e.store.Ref(ctx, from.Path)
		if errors.Is(err, store.ErrMissing) {
			break
		}
		if err != nil {
			return named{}, err
		}
		return readNamed(ref.Record)
	case engine.SchemeDir, engine.SchemeTar, engine.SchemeScratch, engine.SchemeDigest, engine.SchemeStep:
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
	rec := imageRecord{Config: defaultConfig()}
	switch from.Scheme {
	case engine.SchemeStep:
		r, st, err := e.stepResult(ctx, from.Path)
		if err != nil {
			return named{}, err
		}
		if st.Lost() {
			newEvents(o.Progress).send(engine.Lost{Step: -1, Of: from.Path})
		}
		t, rec.Config, rec.Base = r.Tree, r.Config.Bytes(), imageOf(r).Base
	case engine.SchemeDigest:
		d, err := digest.Parse(from.Path)
		if err != nil {
			return named{}, err
		}
		if t, err = tree.Load(ctx, e.withRuns, d); err != nil {
			return named{}, err
		}
	case engine.SchemeDir, engine.SchemeTar:
		if t, _, err = e.readTree(ctx, sv, from, progressOf(o.Progress)); err != nil {
			return named{}, err
		}
	}
	d, err := sv.add(ctx, t)
	if err != nil {
		return named{}, err
	}
	rec.Tree = d
	return named{Images: []imageRecord{rec}}, sv.commit(ctx, store.Changes{})
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
		if err == nil && len(images) == 0 {
			err = fmt.Errorf("%w: the index names no image", image.ErrNoPlatform)
		}
		index := desc.Bare()
		n.Index = &index
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
		n.Beside, err = e.keepIndex(ctx, src, *n.Index)
	}
	return n, cached, err
}

// keepIndex keeps all that an index names, also what is no image, as it is. It
// gives the digests of all of it.
func (e *Engine) keepIndex(ctx context.Context, src image.Opener, index image.Descriptor) ([]digest.Digest, error) {
	g, err := image.Walk(ctx, src, index)
	if err != nil {
		return nil, err
	}
	var all []digest.Digest
	for _, d := range slices.Concat(g.Blobs, g.Manifests) {
		all = append(all, d.Digest)
	}
	missing, err := e.store.Missing(ctx, all)
	if err != nil {
		return nil, err
	}
	in, err := e.store.NewIngest(ctx)
	if err != nil {
		return nil, err
	}
	defer in.Abort()
	for _, d := range slices.Concat(g.Blobs, g.Manifests) {
		if !slices.Contains(missing, d.Digest) {
			continue
		}
		if b, ok := g.Bodies[d.Digest]; ok {
			_, _, err = in.PutBytes(ctx, b)
		} else {
			err = keepBlob(ctx, in, src, d)
		}
		if err != nil {
			return nil, err
		}
	}
	return all, in.Commit(ctx, store.Changes{})
}

func keepBlob(ctx context.Context, in *store.Ingest, src image.Opener, d image.Descriptor) error {
	rc, err := src.Open(ctx, d)
	if err != nil {
		return err
	}
	defer rc.Close()
	w := in.Create()
	defer w.Discard()
	if _, err := io.Copy(w, image.Verified(rc, d)); err != nil {
		return err
	}
	_, _, err = w.Finish(ctx)
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
