// Package registry pulls images from registries and pushes them, by the OCI
// distribution specification.
//
// A [Client] speaks to registries, with the credentials that "docker login"
// left; a [Repository] is one place in one of them, a source and a sink of
// images. What a registry sends is verified by digest and size. A cut
// connection is resumed where it was cut; a busy or failing registry is asked
// again, ever more slowly.
package registry

import (
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/containerd/v2/core/remotes/docker"
)

// Options are what a [Client] may be told. The zero value is right for users of
// docker.
type Options struct {
	// Credentials gives name and secret for a registry's domain; an empty name
	// with a secret is an identity token; nothing at all is an anonymous user.
	// nil stands for those of docker's config.json and its helpers.
	Credentials func(domain string) (user, secret string, err error)
	// PlainHTTP lists the domains, with their ports, that are spoken to without
	// TLS. Loopback hosts always are.
	PlainHTTP []string
	// Transport sends the requests; nil stands for one with TLS by the system's
	// certificates and the proxies of the environment.
	Transport http.RoundTripper
	// UserAgent is what the client calls itself; "" stands for "inlay".
	UserAgent string
	// Attempts is how often a request is made before its failure counts; 0
	// stands for 5. A body that was cut is resumed as often without progress.
	Attempts int
	// Backoff is the first pause between attempts, doubled each time up to 30
	// seconds, unless the registry asks for another; 0 stands for half a second.
	Backoff time.Duration
	// Idle is how long a body may stand still before it counts as cut; 0
	// stands for a minute.
	Idle time.Duration
}

// Client speaks to registries. It may be used by several goroutines at once.
// It keeps credentials and tokens in memory only.
type Client struct {
	transport *transport
	creds     *credentials
	agent     string

	mu    sync.Mutex
	hosts map[string][]docker.RegistryHost // by domain: they hold the tokens
}

// New makes a client. Nothing is read or sent before it is used.
func New(opt Options) *Client {
	if opt.Transport == nil {
		t := docker.DefaultHTTPTransport(nil)
		t.ForceAttemptHTTP2 = true
		t.ResponseHeaderTimeout = 2 * time.Minute // the last byte of a large blob is answered late
		opt.Transport = t
	}
	if opt.UserAgent == "" {
		opt.UserAgent = "inlay"
	}
	if opt.Attempts <= 0 {
		opt.Attempts = 5
	}
	if opt.Backoff <= 0 {
		opt.Backoff = 500 * time.Millisecond
	}
	if opt.Idle <= 0 {
		opt.Idle = time.Minute
	}
	creds := &credentials{lookup: opt.Credentials}
	if creds.lookup == nil {
		creds.lookup = dockerCredentials()
	}
	return &Client{
		transport: &transport{
			base: opt.Transport, plain: opt.PlainHTTP,
			attempts: opt.Attempts, backoff: opt.Backoff, idle: opt.Idle,
		},
		creds: creds,
		agent: opt.UserAgent,
		hosts: map[string][]docker.RegistryHost{},
	}
}

// Repository gives the place that ref names. Nothing is sent.
func (c *Client) Repository(ref Ref, opt RepositoryOptions) *Repository {
	return &Repository{client: c, ref: ref, opt: opt}
}

func (c *Client) registryHosts(domain string) ([]docker.RegistryHost, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if hosts, ok := c.hosts[domain]; ok {
		return hosts, nil
	}
	client := &http.Client{Transport: c.transport}
	hosts, err := docker.ConfigureDefaultRegistries(docker.WithClient(client),
		docker.WithPlainHTTP(func(string) (bool, error) { return c.transport.isPlain(domain), nil }),
	)(domain)
	if err != nil {
		return nil, err
	}
	header := http.Header{"User-Agent": {c.agent}}
	for i, h := range hosts {
		hosts[i].Header = header
		hosts[i].Authorizer = &serialAuthorizer{below: docker.NewDockerAuthorizer(
			docker.WithAuthClient(client), docker.WithAuthHeader(header),
			docker.WithAuthCreds(func(host string) (string, string, error) {
				if !strings.EqualFold(host, h.Host) {
					return "", "", nil // a redirect led elsewhere: not its business
				}
				return c.creds.get(domain)
			}))}
	}
	c.hosts[domain] = hosts
	return hosts, nil
}

func (c *Client) resolver() remotes.Resolver {
	return docker.NewResolver(docker.ResolverOptions{
		Hosts: c.registryHosts, Headers: http.Header{"User-Agent": {c.agent}},
	})
}
