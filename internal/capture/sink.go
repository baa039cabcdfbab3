package capture

import (
	"context"
	"io"

	"github.com/inlaybuild/inlay/digest"
)

// Sink takes the bodies of files. Its methods are called by several goroutines
// at once.
type Sink interface {
	// Missing gives those of ds, in their order, that the sink has no body of.
	Missing(ctx context.Context, ds []digest.Digest) ([]digest.Digest, error)
	// PutBytes keeps b, which the caller may change afterwards.
	PutBytes(ctx context.Context, b []byte) (d digest.Digest, size int64, err error)
	// Create begins a body of any size.
	Create() Writer
}

// Writer writes one body. It is used by one goroutine, and ended by Finish or
// Discard; Discard after Finish does nothing.
type Writer interface {
	io.Writer
	Finish(ctx context.Context) (d digest.Digest, size int64, err error)
	Discard() error
}

// ZeroWriter is a [Writer] that can make holes. To one that cannot, zeros are
// written.
type ZeroWriter interface {
	Writer
	// WriteZeros adds n bytes of zeros.
	WriteZeros(n int64) error
}

// Adopter takes over files that are in place. Its methods are called by several
// goroutines at once.
type Adopter interface {
	// Adopt makes the file at path a body, by moving it where that is possible.
	// The path may lead through /proc/self/fd; it is valid during the call. Size
	// is never 0. Nobody writes to the file any more, and the digest is right.
	// The file still has the attributes that a process gave it.
	Adopt(ctx context.Context, path string, d digest.Digest, size int64) error
}
