package registry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/internal/quiet"
)

// OpenRange opens n bytes of a blob from off on, and asks for no more than these.
// They are not verified: a digest names a whole blob. A cut connection is resumed.
// A registry that knows no ranges sends the blob from its beginning.
func (r *Repository) OpenRange(ctx context.Context, d image.Descriptor, off, n int64) (io.ReadCloser, error) {
	if off < 0 || n <= 0 || off > d.Size-n {
		return nil, fmt.Errorf("bytes %d to %d of the %d of %s: there are none", off, off+n, d.Size, d.Digest)
	}
	ctx = withBodyLimit(quiet.Context(ctx), off+n+1)
	body := &resumed{
		ctx: ctx, desc: image.Descriptor{Digest: d.Digest, Size: n},
		attempts: r.client.transport.attempts, backoff: r.client.transport.backoff, retry: r.opt.Retry,
	}
	body.open = func() (io.ReadCloser, error) {
		return r.openRange(ctx, d, off+body.offset, n-body.offset)
	}
	if err := body.start(); err != nil {
		body.Close()
		return nil, r.explain(ctx, "pull", r.ref, err)
	}
	return image.Explained(body, func(err error) error { return r.explain(ctx, "pull", r.ref, err) }), nil
}

func (r *Repository) openRange(ctx context.Context, d image.Descriptor, off, n int64) (io.ReadCloser, error) {
	want := fmt.Sprintf("bytes %d-%d/", off, off+n-1)
	resp, err := r.do(ctx, call{
		method: http.MethodGet, path: "blobs/" + d.Digest.String(),
		header: http.Header{"Range": {fmt.Sprintf("bytes=%d-%d", off, off+n-1)}},
	})
	if err != nil {
		return nil, err
	}
	err = wantStatus(resp, http.StatusPartialContent, http.StatusOK)
	switch got := resp.Header.Get("Content-Range"); {
	case err != nil:
	case resp.StatusCode == http.StatusOK:
		_, err = io.CopyN(io.Discard, resp.Body, off)
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
	case !strings.HasPrefix(got, want):
		err = fmt.Errorf("the registry gives the range %.60q where %q was asked for", got, strings.TrimSuffix(want, "/"))
	}
	if err != nil {
		resp.Body.Close()
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(resp.Body, n), resp.Body}, nil
}
