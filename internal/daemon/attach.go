package daemon

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/containerd/containerd/v2/core/content"
	"github.com/containerd/errdefs"
	dockerconfig "github.com/docker/cli/cli/config"
	"github.com/moby/buildkit/client/llb"
	"github.com/moby/buildkit/session"
	"github.com/moby/buildkit/session/auth/authprovider"
	"github.com/moby/buildkit/session/secrets"
	"github.com/moby/buildkit/session/secrets/secretsprovider"
	godigest "github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Contents opens blobs by digest, for a daemon that lacks them. It is used by
// several goroutines at once.
type Contents interface {
	// Blob opens a blob and gives its size. The error for one that is not there is
	// fs.ErrNotExist.
	Blob(ctx context.Context, d godigest.Digest) (io.ReaderAt, int64, error)
}

// store is the name that definitions have for what this process has.
const store = "inlay"

// Image gives the state of an image that this process has: the daemon asks for
// what it lacks of it, by digest.
func Image(manifest godigest.Digest, o ...llb.OCILayoutOption) llb.State {
	return llb.OCILayout("inlay/local@"+manifest.String(), append([]llb.OCILayoutOption{llb.OCIStore("", store)}, o...)...)
}

// blobs is Contents as a store of containerd from which is only read.
type blobs struct {
	content.Store // nil: all else is never called

	contents Contents
}

// Info gives the size of a blob.
func (b blobs) Info(ctx context.Context, d godigest.Digest) (content.Info, error) {
	r, size, err := b.contents.Blob(ctx, d)
	if err != nil {
		return content.Info{}, fmt.Errorf("%w: %w", errdefs.ErrNotFound, err)
	}
	if c, ok := r.(io.Closer); ok {
		c.Close()
	}
	return content.Info{Digest: d, Size: size}, nil
}

// ReaderAt opens a blob.
func (b blobs) ReaderAt(ctx context.Context, d ocispec.Descriptor) (content.ReaderAt, error) {
	r, size, err := b.contents.Blob(ctx, d.Digest)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errdefs.ErrNotFound, err)
	}
	return &readerAt{ReaderAt: r, size: size}, nil
}

type readerAt struct {
	io.ReaderAt
	size int64
}

// Size gives the size in bytes.
func (r *readerAt) Size() int64 { return r.size }

// Close closes it.
func (r *readerAt) Close() error {
	if c, ok := r.ReaderAt.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// credentials gives the daemon the user's credentials for registries.
func credentials() session.Attachable {
	return authprovider.NewDockerAuthProvider(authprovider.DockerAuthProviderConfig{
		AuthConfigProvider: authprovider.LoadAuthConfig(dockerconfig.LoadDefaultConfigFile(os.Stderr)),
	})
}

// secret gives secrets to a daemon.
type secret func(ctx context.Context, name string) ([]byte, error)

// GetSecret gives the value of a secret.
func (s secret) GetSecret(ctx context.Context, id string) ([]byte, error) {
	b, err := s(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", secrets.ErrNotFound, err)
	}
	return b, nil
}

func secretsOf(f func(ctx context.Context, name string) ([]byte, error)) session.Attachable {
	return secretsprovider.NewSecretProvider(secret(f))
}
