package registry

import (
	"context"
	"net/http"
	"sync"

	"github.com/containerd/containerd/v2/core/remotes/docker"
)

// serialAuthorizer lets one request at a time ask for its token: the
// authorizer below reads a token's age while another request may be writing it.
// The wait is that of one fetch; tokens are kept.
type serialAuthorizer struct {
	mu    sync.Mutex
	below docker.Authorizer
}

// Authorize implements docker.Authorizer.
func (a *serialAuthorizer) Authorize(ctx context.Context, req *http.Request) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.below.Authorize(ctx, req)
}

// AddResponses implements docker.Authorizer.
func (a *serialAuthorizer) AddResponses(ctx context.Context, responses []*http.Response) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.below.AddResponses(ctx, responses)
}
