// Package layout reads and writes OCI image layouts: directories of blobs with
// an index of the images that they make up.
//
//	oci-layout              {"imageLayoutVersion":"1.0.0"}
//	index.json              the images, each with its name as an annotation
//	blobs/sha256/<digest>   manifests, configs, layers
//
// OCI image specification, "image layout". A [Layout] is a source and a sink.
// Blobs are written beside their place and renamed into it, index.json is
// replaced as a whole under a lock, so that a reader sees an image wholly or
// not at all, and several writers do not lose each other's names.
package layout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/image"
)

const (
	markerFile = "oci-layout"
	indexFile  = "index.json"
	blobsDir   = "blobs/sha256"
	version    = "1.0.0"
	// maxIndex is the most bytes of index.json.
	maxIndex = image.MaxManifestSize
)

// ErrNotLayout is the error of a directory that is no OCI layout, or one of a
// version that is not known here.
var ErrNotLayout = errors.New("not an OCI image layout")

// Layout is an OCI layout. It never leaves its directory: a symlink to outside
// is refused. It may be used by several goroutines and processes at once.
type Layout struct {
	root *os.Root
	dir  string
}

// Open opens the layout in dir. The error is [ErrNotLayout] when there is
// something else, and satisfies errors.Is(err, fs.ErrNotExist) when there is
// nothing.
func Open(dir string) (*Layout, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	l := &Layout{root: root, dir: dir}
	if err := l.checkMarker(); err != nil {
		root.Close()
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return l, nil
}

// Create opens the layout in dir, which is made when it is missing or empty. A
// directory with anything else in it is refused.
func Create(dir string) (*Layout, error) {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	l := &Layout{root: root, dir: dir}
	if err := l.prepare(); err != nil {
		root.Close()
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return l, nil
}

func (l *Layout) prepare() error {
	unlock, err := l.lock()
	if err != nil {
		return err
	}
	defer unlock()
	entries, err := fs.ReadDir(l.root.FS(), ".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == markerFile {
			if err := l.checkMarker(); err != nil {
				return err
			}
			return l.root.MkdirAll(blobsDir, 0o777)
		}
	}
	for _, e := range entries {
		if e.Name() != "blobs" { // left by a writer that died before the marker
			return fmt.Errorf("%w: it has %s and no %s: choose an empty directory", ErrNotLayout, e.Name(), markerFile)
		}
	}
	if err := l.root.MkdirAll(blobsDir, 0o777); err != nil {
		return err
	}
	if err := l.writeIndex(image.Index{MediaType: image.MediaTypeIndex}); err != nil {
		return err
	}
	return l.replace(markerFile, []byte(`{"imageLayoutVersion":"`+version+`"}`))
}

func (l *Layout) checkMarker() error {
	b, err := l.readSmall(markerFile, 4096)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: it has no file %s", ErrNotLayout, markerFile)
	}
	if err != nil {
		return err
	}
	return CheckMarker(b)
}

// CheckMarker tells whether b, the content of a file oci-layout, is of a
// version that is known here; the error is [ErrNotLayout].
func CheckMarker(b []byte) error {
	var marker struct {
		Version string `json:"imageLayoutVersion"`
	}
	if err := json.Unmarshal(b, &marker); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrNotLayout, markerFile, err)
	}
	if marker.Version != version {
		return fmt.Errorf("%w of version %s: it is of version %.40q", ErrNotLayout, version, marker.Version)
	}
	return nil
}

// Close ends the use of the layout.
func (l *Layout) Close() error { return l.root.Close() }

// Dir is the directory that the layout was opened with.
func (l *Layout) Dir() string { return l.dir }

// Resolve gives what name stands for: a tag, a digest in index.json, or, when
// it is empty, the layout's only image.
func (l *Layout) Resolve(ctx context.Context, name string) (image.Descriptor, error) {
	x, err := l.Index()
	if err != nil {
		return image.Descriptor{}, err
	}
	d, err := image.Named(x, name)
	if err != nil {
		return image.Descriptor{}, fmt.Errorf("%s: %w", l.dir, err)
	}
	return d, nil
}

// Index reads index.json.
func (l *Layout) Index() (image.Index, error) {
	b, err := l.readSmall(indexFile, maxIndex)
	if err != nil {
		return image.Index{}, fmt.Errorf("%s: %w", l.dir, err)
	}
	x, err := image.ParseIndex(image.MediaTypeIndex, b)
	if err != nil {
		return image.Index{}, fmt.Errorf("%s: %s: %w", l.dir, indexFile, err)
	}
	return x, nil
}

// Open opens a blob, verified.
func (l *Layout) Open(ctx context.Context, d image.Descriptor) (io.ReadCloser, error) {
	f, err := l.openRegular(blobPath(d.Digest))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", l.dir, image.NotFound(d.Digest))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.dir, err)
	}
	return image.Explained(image.Verified(f, d), func(err error) error {
		return fmt.Errorf("%s: %w", l.dir, err)
	}), nil
}

func blobPath(d digest.Digest) string { return path.Join(blobsDir, d.Hex()) }

func (l *Layout) readSmall(name string, limit int64) ([]byte, error) {
	f, err := l.openRegular(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%s: %w: more than %d bytes", name, image.ErrTooLarge, limit)
	}
	return b, err
}

// openRegular opens a regular file; it does not wait for the other end of a
// fifo.
func (l *Layout) openRegular(name string) (*os.File, error) {
	f, err := l.root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil && !st.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: name, Err: errors.New("not a regular file")}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
