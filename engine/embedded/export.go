package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/image/archive"
	"github.com/inlaybuild/inlay/image/layout"
	"github.com/inlaybuild/inlay/image/registry"
	"github.com/inlaybuild/inlay/internal/checkout"
	"github.com/inlaybuild/inlay/internal/compress"
	"github.com/inlaybuild/inlay/internal/layer"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/inlaybuild/inlay/tree"
)

// Export writes a result to a place: as a directory, as a plain tar, or as an
// image whose first layers are those of the base, byte for byte.
func (e *Engine) Export(ctx context.Context, r engine.Result, to engine.Place, o engine.ExportOptions) (engine.Exported, error) {
	if r.Changes != nil {
		return engine.Exported{}, errors.New("a change set cannot be exported: apply it to a directory")
	}
	out, err := e.exportFrom(ctx, r, to, o)
	if err != nil {
		return engine.Exported{}, fmt.Errorf("export to %s: %w", to, ended(ctx, err))
	}
	out.Place = to.String()
	return out, nil
}

// exportFrom exports a result where it is: what a remote holds by the remote, or
// else after all that is needed of it was brought here.
func (e *Engine) exportFrom(ctx context.Context, r engine.Result, to engine.Place, o engine.ExportOptions) (engine.Exported, error) {
	if r.Away {
		o.Epoch = e.options.Epoch
		if out, ok, err := e.where.Export(ctx, r, to, o); ok {
			return out, err
		}
		var err error
		if r.Whole != nil { // what is read of it is verified
			r, err = r.Whole(ctx)
		}
		if err != nil {
			return engine.Exported{}, err
		}
		if err := e.where.Fetch(ctx, r); err != nil {
			return engine.Exported{}, err
		}
	}
	return e.export(ctx, r, to, o)
}

func (e *Engine) export(ctx context.Context, r engine.Result, to engine.Place, o engine.ExportOptions) (engine.Exported, error) {
	switch to.Scheme {
	case engine.SchemeDir:
		return engine.Exported{}, e.exportDirectory(ctx, r.Tree, to, o)
	case engine.SchemeTar:
		return engine.Exported{}, e.exportTar(ctx, r.Tree, to, o)
	case engine.SchemeScratch, engine.SchemeDigest:
		return engine.Exported{}, errors.New("nothing can be written there")
	}
	p := progressOf(o.Progress)
	img, err := e.assemble(ctx, r, o, p)
	if err != nil {
		return engine.Exported{}, err
	}
	return img.out, e.write(ctx, img, to, r, o, p)
}

func (e *Engine) exportDirectory(ctx context.Context, t tree.Tree, to engine.Place, o engine.ExportOptions) error {
	if err := e.bring(ctx, t); err != nil {
		return err
	}
	m := progressOf(o.Progress).meter(to.String(), t.Bytes())
	opts := checkout.DirectoryOptions{Progress: func(p checkout.Progress) {
		m.add(p.Bytes-m.now.Done, p.Entries-m.now.Count)
	}}
	switch o.Existing {
	case "merge":
		opts.Existing = checkout.Merge
	case "replace":
		opts.Existing = checkout.Replace
	case "":
	default:
		return fmt.Errorf("existing %q: it is merge or replace, or not given at all", o.Existing)
	}
	return checkout.ToDirectory(ctx, t, to.Path, e.OpenContent, opts)
}

func (e *Engine) exportTar(ctx context.Context, t tree.Tree, to engine.Place, o engine.ExportOptions) error {
	kind := compress.None
	switch {
	case o.Compression == engine.Zstd, strings.HasSuffix(to.Path, ".zst"):
		kind = compress.Zstd
	case strings.HasSuffix(to.Path, ".gz"), strings.HasSuffix(to.Path, ".tgz"):
		kind = compress.Gzip
	}
	if err := e.bring(ctx, t); err != nil { // before a byte is written
		return err
	}
	p := progressOf(o.Progress)
	m := p.meter(to.String(), t.Bytes())
	return e.toFile(to.Path, func(w io.Writer) error {
		z, err := compress.NewWriter(w, kind)
		if err != nil {
			return err
		}
		written, err := layer.WriteTree(ctx, &meteredWriter{z, m}, t, layer.WriteOptions{Open: e.OpenContent})
		if err != nil {
			return err
		}
		p.leftOut(written.Sockets)
		return z.Close()
	})
}

// toFile writes a file whole or not at all; "-" is standard output.
func (e *Engine) toFile(path string, write func(io.Writer) error) error {
	if path == "-" {
		return write(e.options.Stdout)
	}
	return archive.CreateFile(path, write)
}

type meteredWriter struct {
	io.Writer
	meter *meter
}

func (w *meteredWriter) Write(b []byte) (int, error) {
	n, err := w.Writer.Write(b)
	w.meter.add(int64(n), 0)
	return n, err
}

// assembled is an image that is ready to be written: what the store does not
// have of it is in bodies.
type assembled struct {
	engine *Engine
	out    engine.Exported
	desc   image.Descriptor
	bodies map[digest.Digest][]byte
}

// Open opens a blob of the image.
func (a *assembled) Open(ctx context.Context, d image.Descriptor) (io.ReadCloser, error) {
	if b, ok := a.bodies[d.Digest]; ok {
		return image.Verified(io.NopCloser(strings.NewReader(string(b))), d), nil
	}
	return a.engine.Open(ctx, d)
}

// assemble makes the image of a result. What did not change since the base is
// the base's own.
func (e *Engine) assemble(ctx context.Context, r engine.Result, o engine.ExportOptions, p progress) (*assembled, error) {
	a := &assembled{engine: e}
	platform := r.Config.Platform()
	a.out = engine.Exported{Reused: len(r.Base.Layers), Platforms: []string{image.FormatPlatform(platform)}}
	changed := r.Tree.Digest() != r.Base.Tree.Digest()
	same := !changed && r.Base.Image != nil && digest.Of(r.Config.Bytes()) == r.Base.Config
	if o.AllPlatforms {
		return a, e.allPlatforms(ctx, a, r.Base, same)
	}
	if same {
		a.desc = *r.Base.Image
		a.desc.Platform = &platform
		a.out.Image = &a.desc
		return a, nil
	}
	layers := r.Base.Layers
	config := r.Config
	if len(layers) == 0 && len(config.DiffIDs()) > 0 { // a remote pulled the image, and has its layers
		var err error
		if config, err = config.WithoutLayers(); err != nil {
			return nil, err
		}
	}
	if changed {
		l, err := e.newLayer(ctx, r, o.Compression, p)
		if err != nil {
			return nil, err
		}
		epoch := time.Unix(e.options.Epoch, 0).UTC()
		if config, err = config.Append(l.DiffID, image.History{Created: &epoch, CreatedBy: "inlay"}); err != nil {
			return nil, err
		}
		p.leftOut(l.LeftOut)
		layers = append(layers[:len(layers):len(layers)], l.Layer)
		a.out.NewLayer = &l.Layer
	}
	made, err := image.Assemble(config, layers, image.AssembleOptions{})
	if err != nil {
		return nil, err
	}
	a.desc, a.bodies = made.Descriptor, made.Blobs
	a.out.Image = &a.desc
	return a, nil
}

// allPlatforms makes a the index of an image that was imported with all its
// platforms, as it is.
func (e *Engine) allPlatforms(ctx context.Context, a *assembled, b engine.Base, same bool) error {
	switch {
	case !same:
		return errors.New("all platforms can be exported only of an image as it was imported, and this one was changed or made here")
	case b.Index == nil:
		return errors.New("the store may have only one platform of the image: import or pull it with all platforms first")
	}
	a.desc = *b.Index
	a.out.Image = &a.desc
	images, err := image.FindAll(ctx, e, a.desc)
	if err != nil {
		return err
	}
	a.out.Platforms = nil
	a.out.Reused = 0
	for _, i := range images {
		a.out.Platforms = append(a.out.Platforms, image.FormatPlatform(i.Config().Platform()))
		a.out.Reused += len(i.Layers())
	}
	return nil
}

// newLayer makes the layer of what changed since the base, or finds it.
func (e *Engine) newLayer(ctx context.Context, r engine.Result, c engine.Compression, p progress) (madeLayer, error) {
	kind, mediaType, err := compression(c)
	if err != nil {
		return madeLayer{}, err
	}
	key := digest.Of(fmt.Appendf(nil, "inlay layer 1\n%s\n%s\n%s", kind, r.Base.Tree.Digest(), r.Tree.Digest()))
	if rec, ok, err := e.store.Result(ctx, key); err != nil {
		return madeLayer{}, err
	} else if l, known := readLayerRecord(rec); ok && known {
		return l, nil
	}
	changes, err := compose.Diff(ctx, r.Base.Tree, r.Tree)
	if err != nil {
		return madeLayer{}, err
	}
	sv, err := e.save(ctx)
	if err != nil {
		return madeLayer{}, err
	}
	defer sv.ingest.Abort()
	blob := sv.ingest.Create()
	defer blob.Discard()
	z, err := compress.NewWriter(blob, kind)
	if err != nil {
		return madeLayer{}, err
	}
	h := digest.NewHasher()
	w := &meteredWriter{io.MultiWriter(z, h), p.meter("layer", 0)}
	written, err := layer.Write(ctx, w, changes, layer.WriteOptions{Open: e.OpenContent, Base: &r.Base.Tree})
	if err != nil {
		_ = z.Close() // its error would be this one once more
		return madeLayer{}, err
	}
	if err := z.Close(); err != nil {
		return madeLayer{}, err
	}
	d, size, err := blob.Finish(ctx)
	if err != nil {
		return madeLayer{}, err
	}
	l := madeLayer{
		Layer:   image.Layer{Descriptor: image.Descriptor{MediaType: mediaType, Digest: d, Size: size}, DiffID: h.Digest()},
		LeftOut: written.Sockets,
	}
	rec, err := l.record()
	if err != nil {
		return madeLayer{}, err
	}
	return l, sv.commit(ctx, store.Changes{Results: map[digest.Digest]store.Record{key: rec}})
}

func compression(c engine.Compression) (compress.Kind, string, error) {
	switch c {
	case engine.Gzip, "gzip":
		return compress.Gzip, image.MediaTypeLayerGzip, nil
	case engine.Zstd:
		return compress.Zstd, image.MediaTypeLayerZstd, nil
	case engine.Uncompressed:
		return compress.None, image.MediaTypeLayer, nil
	}
	return 0, "", fmt.Errorf("compression %q: it is gzip, zstd or none", c)
}

// write writes an image to a layout, an archive or a registry.
func (e *Engine) write(ctx context.Context, a *assembled, to engine.Place, r engine.Result, o engine.ExportOptions, p progress) error {
	m := p.meter(to.String(), 0)
	count := func(_ image.Descriptor, n int64) { m.add(n, 0) }
	switch to.Scheme {
	case engine.SchemeOCI:
		_, err := os.Lstat(to.Path)
		fresh := errors.Is(err, fs.ErrNotExist)
		l, err := layout.Create(to.Path)
		if err != nil {
			return err
		}
		err = image.Copy(ctx, l, a, a.desc, to.Tag, image.CopyOptions{Progress: count})
		err = errors.Join(err, l.Close())
		if err != nil && fresh { // nothing half-made is left
			err = errors.Join(err, os.RemoveAll(to.Path))
		}
		return err
	case engine.SchemeOCIArchive, engine.SchemeDockerArchive:
		write := archive.WriteOCI
		if to.Scheme == engine.SchemeDockerArchive {
			write = archive.WriteDocker
		}
		return e.toFile(to.Path, func(w io.Writer) error {
			return write(ctx, w, a, []archive.Item{{Descriptor: a.desc, Name: to.Tag}}, archive.WriteOptions{Progress: count})
		})
	}
	ref, err := registry.ParseRef(to.Path)
	if err != nil {
		return err
	}
	from := map[digest.Digest][]registry.Ref{}
	if origin, err := registry.ParseRef(r.Base.Origin); err == nil {
		for _, l := range r.Base.Layers {
			from[l.Digest] = []registry.Ref{origin}
		}
	}
	repo := e.client(ref, o.PlainHTTP).Repository(ref, registry.RepositoryOptions{MountFrom: from})
	return image.Copy(ctx, repo, a, a.desc, "", image.CopyOptions{Progress: count})
}
