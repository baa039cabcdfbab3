package registry

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/containerd/containerd/v2/core/remotes"
	godigest "github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/internal/quiet"
)

// RepositoryOptions are what a [Repository] may be told.
type RepositoryOptions struct {
	// MountFrom tells where else blobs are: those of the same registry are
	// mounted from there in place of being sent.
	MountFrom map[digest.Digest][]Ref
	// Retry is told of every failure that is not final: what failed, which is
	// made again.
	Retry func(err error)
}

// Repository is a place in a registry: an image.Source and an image.Sink. It may
// be used by several goroutines at once.
type Repository struct {
	client *Client
	ref    Ref
	opt    RepositoryOptions

	mu      sync.Mutex
	absent  map[digest.Digest]bool   // as Missing found
	bodies  map[digest.Digest][]byte // of pushed manifests, to be tagged
	fetcher remotes.Fetcher
}

// Ref is what the repository was made for.
func (r *Repository) Ref() Ref { return r.ref }

// Resolve asks the registry what name, a tag or a digest, stands for; "" is the
// tag or digest of the repository's Ref. Where there is a digest, it is what the
// descriptor has. The size is the registry's word, which reading verifies.
func (r *Repository) Resolve(ctx context.Context, name string) (image.Descriptor, error) {
	ref, err := r.ref.In(name)
	if err != nil {
		return image.Descriptor{}, err
	}
	asked := ref
	if !ref.digest.IsZero() {
		asked.tag = "" // the digest decides
	}
	_, d, err := r.client.resolver().Resolve(quiet.Context(ctx), asked.String())
	if err != nil {
		return image.Descriptor{}, r.explain(ctx, "resolve", ref, err)
	}
	out := image.Descriptor{MediaType: d.MediaType, Size: d.Size}
	if out.Digest, err = digest.Parse(d.Digest.String()); err != nil {
		return image.Descriptor{}, r.explain(ctx, "resolve", ref, err)
	}
	if !ref.digest.IsZero() && out.Digest != ref.digest {
		return image.Descriptor{}, r.explain(ctx, "resolve", ref,
			fmt.Errorf("%w: the registry gives %s", digest.ErrMismatch, out.Digest))
	}
	if !out.IsManifest() && !out.IsIndex() {
		return image.Descriptor{}, r.explain(ctx, "resolve", ref,
			&image.MediaTypeError{Got: out.MediaType, Want: "an image manifest or index"})
	}
	return out, nil
}

// Open opens a manifest or a blob, verified. A cut connection is resumed. The
// URLs of d are not followed: whoever wrote a manifest does not choose which
// hosts this one speaks to.
func (r *Repository) Open(ctx context.Context, d image.Descriptor) (io.ReadCloser, error) {
	f, err := r.fetch(ctx)
	if err != nil {
		return nil, r.explain(ctx, "pull", r.ref, err)
	}
	ctx = withBodyLimit(quiet.Context(ctx), d.Size+1)
	body := &resumed{
		ctx: ctx, desc: d, attempts: r.client.transport.attempts, backoff: r.client.transport.backoff,
		retry: r.opt.Retry,
		open: func() (io.ReadCloser, error) {
			return f.Fetch(ctx, ocispec.Descriptor{
				MediaType: d.MediaType, Digest: godigest.Digest(d.Digest.String()), Size: d.Size,
			})
		},
	}
	// The first bytes are asked for now: a blob that is not there is an error
	// of Open.
	if err := body.start(); err != nil {
		body.Close()
		if d.IsForeign() {
			err = fmt.Errorf("%w (its registry need not have a foreign layer, and its URLs are not followed)", err)
		}
		return nil, r.explain(ctx, "pull", r.ref, err)
	}
	return image.Explained(image.Verified(body, d), func(err error) error {
		return r.explain(ctx, "pull", r.ref, err)
	}), nil
}

func (r *Repository) fetch(ctx context.Context) (remotes.Fetcher, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.fetcher == nil {
		f, err := r.client.resolver().Fetcher(quiet.Context(ctx), r.ref.String())
		if err != nil {
			return nil, err
		}
		r.fetcher = f
	}
	return r.fetcher, nil
}
