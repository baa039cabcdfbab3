package archive

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/distribution/reference"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/image"
)

// Item is an image to be written, under a name, which may be empty. An image
// with several names is several items.
type Item struct {
	Descriptor image.Descriptor // of a manifest; in an OCI archive also of an index
	Name       string           // in an OCI archive a tag, in a Docker archive a reference
}

// WriteOptions are what [WriteOCI] and [WriteDocker] may be told.
type WriteOptions struct {
	// Progress is told of every n bytes of d that were written.
	Progress func(d image.Descriptor, n int64)
}

// WriteOCI writes an OCI archive: a tar of a layout with these images. The
// bytes depend on the items, not on their order. Each blob is read once, when
// its turn comes, and goes through no temporary file.
func WriteOCI(ctx context.Context, w io.Writer, src image.Opener, items []Item, opt WriteOptions) error {
	x := image.Index{MediaType: image.MediaTypeIndex}
	for _, it := range items {
		d := it.Descriptor.Bare()
		d.Platform = it.Descriptor.Platform
		x.Manifests = append(x.Manifests, d.WithAnnotation(image.AnnotationRefName, it.Name))
	}
	return write(ctx, w, src, x, nil, opt)
}

// WriteDocker writes a Docker archive that Docker of any version loads, and
// that is an OCI archive as well. Each item is the manifest of one image.
func WriteDocker(ctx context.Context, w io.Writer, src image.Opener, items []Item, opt WriteOptions) error {
	x := image.Index{MediaType: image.MediaTypeIndex}
	byManifest := map[digest.Digest]*saved{}
	for _, it := range items {
		if it.Descriptor.IsIndex() {
			return fmt.Errorf("%w: a Docker archive has images of one platform: choose one, or write an OCI archive",
				&image.MediaTypeError{Got: it.Descriptor.MediaType, Want: "an image manifest"})
		}
		d := it.Descriptor.Bare()
		d.Platform = it.Descriptor.Platform
		s, ok := byManifest[d.Digest]
		if !ok {
			img, err := image.Read(ctx, src, d)
			if err != nil {
				return err
			}
			s = describeSaved(img)
			byManifest[d.Digest] = s
		}
		if it.Name != "" {
			n, err := reference.ParseNormalizedNamed(it.Name)
			if err != nil {
				return fmt.Errorf("%w: %.200q", err, it.Name)
			}
			tagged, ok := reference.TagNameOnly(n).(reference.NamedTagged)
			if !ok {
				return fmt.Errorf("%.200q: a Docker archive names images by tags, not by digests", it.Name)
			}
			s.RepoTags = append(s.RepoTags, reference.FamiliarString(tagged))
			d = d.WithAnnotation(image.AnnotationRefName, tagged.Tag()).
				WithAnnotation(image.AnnotationImageName, tagged.String())
		}
		x.Manifests = append(x.Manifests, d)
	}
	list := []saved{}
	for _, d := range slices.SortedFunc(maps.Keys(byManifest), digest.Digest.Compare) {
		s := byManifest[d]
		slices.Sort(s.RepoTags)
		s.RepoTags = slices.Compact(s.RepoTags)
		list = append(list, *s)
	}
	body, err := json.Marshal(list)
	if err != nil {
		return err
	}
	return write(ctx, w, src, x, map[string][]byte{"manifest.json": body}, opt)
}

func describeSaved(img image.Image) *saved {
	s := &saved{Config: "blobs/sha256/" + img.Manifest().Config.Digest.Hex(), Layers: []string{}}
	for _, l := range img.Layers() {
		s.Layers = append(s.Layers, "blobs/sha256/"+l.Digest.Hex())
	}
	return s
}

// write writes a layout with x for its index, and files beside it.
func write(ctx context.Context, w io.Writer, src image.Opener, x image.Index, files map[string][]byte, opt WriteOptions) error {
	blobs := map[string]image.Descriptor{}
	small := map[string][]byte{"oci-layout": []byte(`{"imageLayoutVersion":"1.0.0"}`)}
	for name, b := range files {
		small[name] = b
	}
	for _, d := range x.Manifests {
		g, err := image.Walk(ctx, src, d)
		if err != nil {
			return err
		}
		for _, b := range g.Blobs {
			blobs["blobs/sha256/"+b.Digest.Hex()] = b
		}
		for d, b := range g.Bodies {
			small["blobs/sha256/"+d.Hex()] = b
		}
	}
	index, err := x.Sorted().Bytes()
	if err != nil {
		return err
	}
	small["index.json"] = index
	names := []string{"blobs/", "blobs/sha256/"}
	for n := range blobs {
		if _, twice := small[n]; !twice {
			names = append(names, n)
		}
	}
	for n := range small {
		names = append(names, n)
	}
	slices.Sort(names)
	tw := tar.NewWriter(w)
	for _, n := range names {
		switch b, ok := small[n]; {
		case strings.HasSuffix(n, "/"):
			err = tw.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: n, Mode: 0o755, ModTime: time.Unix(0, 0)})
		case ok:
			err = writeFile(tw, n, bytes.NewReader(b), int64(len(b)))
		default:
			err = writeBlob(ctx, tw, n, src, blobs[n], opt)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", n, err)
		}
	}
	return tw.Close()
}

func writeBlob(ctx context.Context, tw *tar.Writer, name string, src image.Opener, d image.Descriptor, opt WriteOptions) error {
	rc, err := src.Open(ctx, d)
	if err != nil {
		return err
	}
	rc = image.Verified(rc, d)
	defer rc.Close()
	if opt.Progress != nil {
		rc = image.Count(rc, func(n int64) { opt.Progress(d, n) })
	}
	return writeFile(tw, name, rc, d.Size)
}

func writeFile(tw *tar.Writer, name string, r io.Reader, size int64) error {
	err := tw.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: size, ModTime: time.Unix(0, 0)})
	if err != nil {
		return err
	}
	_, err = io.Copy(tw, r)
	return err
}

// CreateFile makes the file at path of what write writes: wholly, in place of
// what was there, or not at all. Into a pipe or a device it writes as it goes.
func CreateFile(path string, write func(io.Writer) error) (err error) {
	if st, err := os.Stat(path); err == nil && !st.Mode().IsRegular() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(write(f), f.Close())
	}
	// As any new file, with the rights that the umask leaves.
	f, err := os.OpenFile(filepath.Join(filepath.Dir(path), ".tmp-"+rand.Text()), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	defer func() {
		f.Close()
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	if err := write(f); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
