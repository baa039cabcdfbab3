package layer

import (
	"context"
	"io"

	"github.com/inlaybuild/inlay/digest"
)

// Blobs takes the bodies of files. It is called by several goroutines at once.
type Blobs interface {
	// Put keeps all of r as one blob, and gives its digest and size. An error of
	// r ends it, and nothing is kept.
	Put(ctx context.Context, r io.Reader) (digest.Digest, int64, error)
	// PutBytes keeps b as one blob. It does not hold on to b.
	PutBytes(ctx context.Context, b []byte) (digest.Digest, int64, error)
}

// OpenBlob opens the blob of a digest for reading. It is called by several
// goroutines at once. What it gives is verified.
type OpenBlob func(ctx context.Context, d digest.Digest) (io.ReadCloser, error)
