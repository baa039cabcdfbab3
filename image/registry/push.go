package registry

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/containerd/containerd/v2/core/remotes/docker"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/internal/quiet"
)

// sourceAnnotation, followed by a domain, lists the repositories there that
// have a blob, as containerd writes it.
const sourceAnnotation = "containerd.io/distribution.source."

// askers is how many blobs are asked after at a time.
const askers = 6

// Missing asks the registry which of ds it does not have in this repository,
// with a request for each, several at a time.
func (r *Repository) Missing(ctx context.Context, ds []image.Descriptor) ([]image.Descriptor, error) {
	has := make([]bool, len(ds))
	errs := make([]error, len(ds))
	slots := make(chan struct{}, askers)
	var wg sync.WaitGroup
	for i, d := range ds {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			has[i], errs[i] = r.has(ctx, d, d.Digest.String())
		})
	}
	wg.Wait()
	var missing []image.Descriptor
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, d := range ds {
		if errs[i] != nil {
			return nil, r.explain(ctx, "push", r.ref, errs[i])
		}
		if !has[i] {
			if r.absent == nil {
				r.absent = map[digest.Digest]bool{}
			}
			r.absent[d.Digest] = true
			missing = append(missing, d)
		}
	}
	return missing, nil
}

// Push sends a blob or a manifest, unless the repository has it. A blob that is
// known to be in another repository of the registry is mounted from there.
func (r *Repository) Push(ctx context.Context, d image.Descriptor, open func(context.Context) (io.ReadCloser, error)) error {
	var err error
	if d.IsManifest() || d.IsIndex() {
		err = r.pushManifest(ctx, d, open)
	} else {
		err = r.pushBlob(ctx, d, open)
	}
	if err != nil {
		return r.explain(ctx, "push", r.ref, err)
	}
	return nil
}

// Tag makes name, a tag, stand for the manifest d, which was pushed; "" is the
// tag of the repository's Ref, and does nothing where that has none. Nothing is
// sent when it does already.
func (r *Repository) Tag(ctx context.Context, d image.Descriptor, name string) error {
	if name == "" {
		name = r.ref.tag
	}
	if name == "" {
		return nil
	}
	ref, err := r.ref.In(name)
	if err != nil {
		return err
	}
	if err := r.tag(ctx, d, name); err != nil {
		return r.explain(ctx, "push", ref, err)
	}
	return nil
}

func (r *Repository) tag(ctx context.Context, d image.Descriptor, name string) error {
	if has, err := r.has(ctx, d, name); has || err != nil {
		return err
	}
	r.mu.Lock()
	body, ok := r.bodies[d.Digest]
	r.mu.Unlock()
	if !ok {
		var err error
		if body, err = image.ReadAll(ctx, r, d, image.MaxManifestSize); err != nil {
			return err
		}
	}
	return r.putManifest(ctx, d, name, body)
}

func (r *Repository) pushManifest(ctx context.Context, d image.Descriptor, open func(context.Context) (io.ReadCloser, error)) error {
	body, err := image.ReadAll(ctx, image.OpenFunc(func(ctx context.Context, _ image.Descriptor) (io.ReadCloser, error) {
		return open(ctx)
	}), d, image.MaxManifestSize)
	if err != nil {
		return err
	}
	r.mu.Lock()
	if r.bodies == nil {
		r.bodies = map[digest.Digest][]byte{}
	}
	r.bodies[d.Digest] = body
	r.mu.Unlock()
	if has, err := r.has(ctx, d, d.Digest.String()); has || err != nil {
		return err
	}
	return r.putManifest(ctx, d, d.Digest.String(), body)
}

func (r *Repository) putManifest(ctx context.Context, d image.Descriptor, name string, body []byte) error {
	resp, err := r.do(ctx, call{
		method: http.MethodPut, path: "manifests/" + name, size: d.Size, push: true,
		header: http.Header{"Content-Type": {d.MediaType}},
		body:   func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil },
	})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := wantStatus(resp, http.StatusCreated, http.StatusOK, http.StatusAccepted, http.StatusNoContent); err != nil {
		return err
	}
	if got := resp.Header.Get("Docker-Content-Digest"); got != "" && got != d.Digest.String() {
		return fmt.Errorf("%w: the registry stored the manifest as %.100q", digest.ErrMismatch, got)
	}
	return nil
}

// has asks for a blob by its digest, or for a manifest by its digest or a tag.
func (r *Repository) has(ctx context.Context, d image.Descriptor, name string) (bool, error) {
	c := call{method: http.MethodHead, path: "blobs/" + name, push: true}
	manifest := d.IsManifest() || d.IsIndex()
	if manifest {
		c.path, c.header = "manifests/"+name, http.Header{"Accept": {d.MediaType}}
	}
	resp, err := r.do(ctx, c)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode == http.StatusNotFound:
		return false, nil
	case resp.StatusCode == http.StatusOK:
		got := resp.Header.Get("Docker-Content-Digest")
		return got == d.Digest.String() || got == "" && !manifest, nil
	}
	return false, wantStatus(resp, http.StatusOK)
}

func (r *Repository) pushBlob(ctx context.Context, d image.Descriptor, open func(context.Context) (io.ReadCloser, error)) error {
	r.mu.Lock()
	absent := r.absent[d.Digest]
	r.mu.Unlock()
	if !absent {
		if has, err := r.has(ctx, d, d.Digest.String()); has || err != nil {
			return err
		}
	}
	upload, err := r.startUpload(ctx, d)
	if err != nil || upload == nil {
		return err
	}
	q := upload.Query()
	q.Set("digest", d.Digest.String())
	upload.RawQuery = q.Encode()
	resp, err := r.do(ctx, call{
		method: http.MethodPut, url: upload, size: d.Size, push: true,
		header: http.Header{"Content-Type": {"application/octet-stream"}},
		body: func() (io.ReadCloser, error) {
			rc, err := open(ctx)
			if err != nil {
				return nil, &sourceError{err}
			}
			return image.Explained(image.Verified(rc, d), func(err error) error { return &sourceError{err} }), nil
		},
	})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return wantStatus(resp, http.StatusCreated, http.StatusOK, http.StatusNoContent, http.StatusAccepted)
}

// startUpload mounts the blob, and gives nil, or tells where to send it.
func (r *Repository) startUpload(ctx context.Context, d image.Descriptor) (*url.URL, error) {
	for _, from := range r.mountCandidates(d) {
		q := url.Values{"mount": {d.Digest.String()}, "from": {from}}
		resp, err := r.do(ctx, call{method: http.MethodPost, path: "blobs/uploads/", query: q, push: true, from: from})
		if err != nil {
			if isDenied(err) {
				continue // no leave to read there
			}
			return nil, err
		}
		resp.Body.Close()
		switch resp.StatusCode {
		case http.StatusCreated:
			return nil, nil
		case http.StatusAccepted:
			return location(resp)
		}
	}
	resp, err := r.do(ctx, call{method: http.MethodPost, path: "blobs/uploads/", push: true})
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if err := wantStatus(resp, http.StatusAccepted, http.StatusOK, http.StatusNoContent); err != nil {
		return nil, err
	}
	return location(resp)
}

func location(resp *http.Response) (*url.URL, error) {
	u, err := resp.Location() // relative to the request
	if err != nil {
		return nil, fmt.Errorf("the registry does not say where to upload: %w", err)
	}
	return u, nil
}

// mountCandidates gives the other repositories of this registry that may have
// the blob, at most three.
func (r *Repository) mountCandidates(d image.Descriptor) []string {
	var from []string
	for _, ref := range r.opt.MountFrom[d.Digest] {
		if ref.domain == r.ref.domain {
			from = append(from, ref.path)
		}
	}
	for p := range strings.SplitSeq(d.Annotations[sourceAnnotation+r.ref.domain], ",") {
		if ref, err := ParseRef(r.ref.domain + "/" + p); err == nil && p != "" && ref.path == p {
			from = append(from, p)
		}
	}
	var out []string
	for _, p := range from {
		if p != r.ref.path && !slices.Contains(out, p) && len(out) < 3 {
			out = append(out, p)
		}
	}
	return out
}

// call is a request to the registry that Push makes.
type call struct {
	method string
	path   string   // below the repository
	url    *url.URL // in place of path
	query  url.Values
	header http.Header
	body   func() (io.ReadCloser, error)
	size   int64
	push   bool
	from   string // another repository that must be readable
}

// do makes a request, and again when the registry wants to know who asks. The
// caller closes the answer's body.
func (r *Repository) do(ctx context.Context, c call) (*http.Response, error) {
	hosts, err := r.client.registryHosts(r.ref.domain)
	if err != nil {
		return nil, err
	}
	host := hosts[0]
	scope := "repository:" + r.ref.path + ":pull"
	if c.push {
		scope += ",push"
	}
	ctx = docker.WithScope(quiet.Context(ctx), scope)
	if c.from != "" {
		ctx = docker.ContextWithAppendPullRepositoryScope(ctx, c.from)
	}
	u := c.url
	if u == nil {
		u = &url.URL{Scheme: host.Scheme, Host: host.Host, Path: host.Path + "/" + r.ref.path + "/" + c.path, RawQuery: c.query.Encode()}
	}
	own := strings.EqualFold(u.Host, host.Host) && u.Scheme == host.Scheme
	var asked []*http.Response
	for {
		req, err := newRequest(ctx, c, u, host.Header)
		if err != nil {
			return nil, err
		}
		if own {
			if err := host.Authorizer.Authorize(ctx, req); err != nil {
				return nil, err
			}
		}
		resp, err := host.Client.Do(req)
		if err != nil {
			return nil, err
		}
		if resp.StatusCode != http.StatusUnauthorized || !own || len(asked) == 2 {
			return resp, nil
		}
		asked = append(asked, resp)
		resp.Body.Close()
		if err := host.Authorizer.AddResponses(ctx, asked); err != nil {
			return nil, err
		}
	}
}

func newRequest(ctx context.Context, c call, u *url.URL, header http.Header) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, c.method, u.String(), nil)
	if err != nil {
		return nil, err
	}
	for k, v := range header {
		req.Header[k] = slices.Clone(v)
	}
	for k, v := range c.header {
		req.Header[k] = slices.Clone(v)
	}
	if c.body == nil {
		return req, nil
	}
	if req.Body, err = c.body(); err != nil {
		return nil, err
	}
	req.GetBody, req.ContentLength = c.body, c.size
	if c.size == 0 { // else the standard library would send it in chunks
		_, err := io.Copy(io.Discard, req.Body)
		req.Body.Close()
		if err != nil {
			return nil, err
		}
		req.Body, req.GetBody = http.NoBody, nil
	}
	return req, nil
}
