package image

import (
	"context"
	"fmt"
	"io"
	"io/fs"

	"github.com/inlaybuild/inlay/digest"
)

// Pusher takes blobs.
type Pusher interface {
	// Push stores the blob that d names; open gives its bytes, and may be
	// called again when an attempt failed, or not at all when the blob is
	// there or can be had without sending it. The bytes are verified before
	// the blob is visible. A manifest comes after what it names.
	Push(ctx context.Context, d Descriptor, open func(context.Context) (io.ReadCloser, error)) error
}

// Tagger names what was pushed.
type Tagger interface {
	// Tag gives the manifest or index d, which was pushed, a name. What had
	// the name before loses it. An empty name makes d known without one, where
	// the sink has such a thing.
	Tag(ctx context.Context, d Descriptor, name string) error
}

// Sink is a place that images go into.
type Sink interface {
	// Missing gives those of ds that must be pushed, in their order.
	Missing(ctx context.Context, ds []Descriptor) ([]Descriptor, error)
	Pusher
	Tagger
}

// NotFound is the error of a blob that is not where it was looked for; it
// satisfies errors.Is(err, fs.ErrNotExist).
func NotFound(d digest.Digest) error {
	return fmt.Errorf("blob %s: %w", d, fs.ErrNotExist)
}
