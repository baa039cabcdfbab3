// Package archive reads and writes images as tar files, in the two forms that
// other tools have: an OCI archive is a tar of an OCI layout; a Docker archive
// is what "docker save" writes, which has had two shapes:
//
//	until Docker 25:   manifest.json, <digest>.json, <directory>/layer.tar
//	since Docker 25:   manifest.json and an OCI layout, which share their blobs
//
// All are read, compressed or not, from a file or a stream. The second is what
// [WriteDocker] writes, so that every Docker loads it. What is written is
// deterministic: entries sorted, no times, no owners.
package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/distribution/reference"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/internal/compress"
)

// ErrNotArchive is the error of a file that is no archive of images.
var ErrNotArchive = errors.New("not an OCI or Docker archive")

// ReadOptions are what [Open] and [Read] may be told.
type ReadOptions struct {
	// TempDir is where a stream, or what a compressed file becomes, is kept
	// until the archive is closed; "" stands for the system's place.
	TempDir string
	// MaxBytes is the most bytes of an archive without its compression; 0
	// stands for 256 GiB, a negative number for any.
	MaxBytes int64
	// MaxRatio bounds what becomes of a byte of a compressed archive, as in
	// 1,100, which 0 stands for; a negative number is no bound.
	MaxRatio int64
}

// Archive is an archive that was opened: an image.Source. It may be used by
// several goroutines at once.
type Archive struct {
	f     *os.File
	temp  string // to be removed; empty where f is the user's
	tar   *contents
	index image.Index
	blobs map[digest.Digest]blob
}

// blob is bytes in memory, or a file of the tar.
type blob struct {
	body []byte
	file *file
}

// Open opens the archive at path. A compressed one is decompressed into a
// temporary file first.
func Open(path string, opt ReadOptions) (*Archive, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil && st.IsDir() {
		err = fmt.Errorf("%w: it is a directory", ErrNotArchive)
	}
	if err == nil && st.Mode().IsRegular() {
		prefix := make([]byte, 4)
		n, _ := f.ReadAt(prefix, 0)
		if compress.Detect(prefix[:n]) == compress.None {
			a, err := open(f, "")
			if err != nil {
				return nil, fmt.Errorf("%s: %w", path, err)
			}
			return a, nil
		}
	}
	defer f.Close()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	a, err := Read(f, opt)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return a, nil
}

// Read reads an archive, compressed or not, to the end of r, into a temporary
// file.
func Read(r io.Reader, opt ReadOptions) (*Archive, error) {
	z, err := compress.NewReader(r, compress.Limits{MaxBytes: opt.MaxBytes, MaxRatio: opt.MaxRatio})
	if err != nil {
		return nil, err
	}
	defer z.Close()
	f, err := os.CreateTemp(opt.TempDir, "archive-*")
	if err != nil {
		return nil, err
	}
	if _, err = io.Copy(f, z); err != nil {
		f.Close()
		os.Remove(f.Name())
		return nil, err
	}
	return open(f, f.Name())
}

// open takes f over, also when it fails.
func open(f *os.File, temp string) (*Archive, error) {
	a := &Archive{f: f, temp: temp, blobs: map[digest.Digest]blob{}}
	err := a.load()
	if err != nil {
		a.Close()
		return nil, err
	}
	return a, nil
}

func (a *Archive) load() error {
	st, err := a.f.Stat()
	if err != nil {
		return err
	}
	if a.tar, err = readContents(a.f, st.Size()); err != nil {
		return err
	}
	_, hasLayout := a.tar.find("oci-layout")
	_, hasManifest := a.tar.find("manifest.json")
	switch {
	case hasLayout:
		err = a.loadLayout()
		if err != nil && hasManifest && errors.Is(err, errPartial) {
			err = a.loadDocker()
		}
		return err
	case hasManifest:
		return a.loadDocker()
	}
	return fmt.Errorf("%w: it has neither index.json with oci-layout nor manifest.json", ErrNotArchive)
}

// Close ends the use of the archive, and removes the temporary file.
func (a *Archive) Close() error {
	err := a.f.Close()
	if a.temp != "" {
		err = errors.Join(err, os.Remove(a.temp))
	}
	return err
}

// Index lists the images, with their names as annotations, as in a layout.
func (a *Archive) Index() image.Index { return a.index }

// Resolve gives what name stands for: what the archive calls an image, or that
// in the short or the full form of a reference; "" is the only image.
func (a *Archive) Resolve(ctx context.Context, name string) (image.Descriptor, error) {
	d, err := image.Named(a.index, name)
	if err == nil || name == "" {
		return d, err
	}
	if n, perr := reference.ParseNormalizedNamed(name); perr == nil {
		if d, nerr := image.Named(a.index, reference.TagNameOnly(n).String()); nerr == nil {
			return d, nil
		}
	}
	return image.Descriptor{}, err
}

// Open opens a blob, verified.
func (a *Archive) Open(ctx context.Context, d image.Descriptor) (io.ReadCloser, error) {
	b, ok := a.blobs[d.Digest]
	switch {
	case ok && b.file != nil:
		return image.Verified(io.NopCloser(a.tar.open(*b.file)), d), nil
	case ok:
		return image.Stage(nil, map[digest.Digest][]byte{d.Digest: b.body}).Open(ctx, d)
	}
	if f, ok := a.tar.find("blobs/sha256/" + d.Digest.Hex()); ok {
		return image.Verified(io.NopCloser(a.tar.open(f)), d), nil
	}
	return nil, image.NotFound(d.Digest)
}

var errPartial = fmt.Errorf("the archive lacks what its index names: %w", fs.ErrNotExist)
