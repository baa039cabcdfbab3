package image

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"github.com/inlaybuild/inlay/digest"
)

const (
	// MaxManifestSize is the most bytes of a manifest or an index, 4 MiB, as
	// registries have it.
	MaxManifestSize = 4 << 20
	// MaxConfigSize is the most bytes of an image's config.
	MaxConfigSize = 8 << 20
)

// Resolver finds what a name stands for.
type Resolver interface {
	// Resolve gives the descriptor of the manifest or index that ref names in
	// this source: a tag, or what else the source calls its images. The empty
	// ref is the source's only image. [ErrUnknownRef] where there is none.
	Resolve(ctx context.Context, ref string) (Descriptor, error)
}

// Opener opens blobs.
type Opener interface {
	// Open opens the blob that d names. The reader fails with
	// digest.ErrMismatch, and not with io.EOF, when the bytes are not those of
	// d's digest and size; it never yields more than d.Size bytes. The caller
	// closes it. A blob that is not there satisfies errors.Is(err,
	// fs.ErrNotExist).
	Open(ctx context.Context, d Descriptor) (io.ReadCloser, error)
}

// Source is a place that images come from.
type Source interface {
	Resolver
	Opener
}

// OpenFunc is an [Opener] made of a function.
type OpenFunc func(ctx context.Context, d Descriptor) (io.ReadCloser, error)

// Open calls f.
func (f OpenFunc) Open(ctx context.Context, d Descriptor) (io.ReadCloser, error) { return f(ctx, d) }

// ReadAll reads the blob that d names, at most limit bytes of it: a larger one
// is refused with [ErrTooLarge] before it is opened. The bytes are verified.
func ReadAll(ctx context.Context, src Opener, d Descriptor, limit int64) ([]byte, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	if d.Size > limit {
		return nil, fmt.Errorf("%s: %w: %d bytes where at most %d are read", d.Digest, ErrTooLarge, d.Size, limit)
	}
	rc, err := src.Open(ctx, d)
	if err != nil {
		return nil, err
	}
	defer rc.Close()
	var b bytes.Buffer
	if _, err := b.ReadFrom(digest.Verify(rc, d.Digest, d.Size)); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// Verified gives rc as [Opener] promises it: verified against d. Unlike a bare
// digest.Verify it holds the last bytes back until they are proven, so a reader
// that stops after d.Size bytes has verified bytes too.
func Verified(rc io.ReadCloser, d Descriptor) io.ReadCloser {
	return &verified{Reader: digest.Verify(rc, d.Digest, d.Size), Closer: rc, left: d.Size}
}

type verified struct {
	io.Reader
	io.Closer
	left int64
	err  error
}

func (v *verified) Read(b []byte) (int, error) {
	if v.err != nil {
		return 0, v.err
	}
	if len(b) == 0 {
		return 0, nil
	}
	n, err := v.Reader.Read(b)
	v.left -= int64(n)
	for idle := 0; v.left <= 0 && err == nil; idle++ {
		if idle == 100 {
			err = io.ErrNoProgress
			break
		}
		_, err = v.Reader.Read(make([]byte, 1))
	}
	v.err = err
	if err != nil && err != io.EOF && v.left <= 0 {
		return 0, err
	}
	return n, err
}

// Explained gives rc so that its errors, but not io.EOF, are what explain makes
// of them.
func Explained(rc io.ReadCloser, explain func(error) error) io.ReadCloser {
	return explained{rc, explain}
}

type explained struct {
	io.ReadCloser
	explain func(error) error
}

func (e explained) Read(b []byte) (int, error) {
	n, err := e.ReadCloser.Read(b)
	if err != nil && err != io.EOF {
		err = e.explain(err)
	}
	return n, err
}

// Staged is an [Opener] that has some small blobs in memory and asks base,
// which may be nil, for the others: new manifests and configs over the layers
// of a source.
type Staged struct {
	base  Opener
	blobs map[digest.Digest][]byte
}

// Stage makes a [Staged] of base and blobs, whose keys are their digests.
func Stage(base Opener, blobs map[digest.Digest][]byte) Staged { return Staged{base, blobs} }

// Open opens a blob in memory, or one of base.
func (s Staged) Open(ctx context.Context, d Descriptor) (io.ReadCloser, error) {
	if b, ok := s.blobs[d.Digest]; ok {
		return Verified(io.NopCloser(bytes.NewReader(b)), d), nil
	}
	if s.base == nil {
		return nil, NotFound(d.Digest)
	}
	return s.base.Open(ctx, d)
}
