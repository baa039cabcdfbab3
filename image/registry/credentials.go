package registry

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"

	"github.com/docker/cli/cli/config"
	"github.com/docker/cli/cli/config/configfile"
)

// credentials remembers what was looked up, so that a helper runs once for a
// registry, and so that no secret comes out in an error.
type credentials struct {
	lookup func(domain string) (user, secret string, err error)

	mu    sync.Mutex
	known map[string]login
}

type login struct {
	user, secret string
	err          error
}

func (c *credentials) get(domain string) (user, secret string, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l, ok := c.known[domain]; ok {
		return l.user, l.secret, l.err
	}
	var l login
	l.user, l.secret, l.err = c.lookup(domain)
	if c.known == nil {
		c.known = map[string]login{}
	}
	c.known[domain] = l
	return l.user, l.secret, l.err
}

// redact takes secrets out of a text that somebody else wrote.
func (c *credentials) redact(s string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.known {
		if l.secret != "" {
			s = strings.ReplaceAll(s, l.secret, "REDACTED")
		}
	}
	return s
}

// dockerCredentials reads docker's config.json, once, when it is first needed.
func dockerCredentials() func(string) (string, string, error) {
	load := sync.OnceValues(func() (*configfile.ConfigFile, error) { return config.Load(os.Getenv(config.EnvOverrideConfigDir)) })
	return func(domain string) (string, string, error) {
		f, err := load()
		if err != nil {
			return "", "", fmt.Errorf("docker's config.json: %w", err)
		}
		auth, err := f.GetAuthConfig(domain)
		switch {
		case err != nil && strings.Contains(err.Error(), exec.ErrNotFound.Error()): // the library keeps the text alone
			return "", "", fmt.Errorf("credentials of %s: the helper that docker's config.json names is not in PATH: install it or take it out there", domain)
		case err != nil: // the error may have what the helper printed
			return "", "", fmt.Errorf("credentials of %s: the helper that docker's config.json names failed: try \"docker login %s\"", domain, domain)
		case auth.IdentityToken != "":
			return "", auth.IdentityToken, nil
		}
		return auth.Username, auth.Password, nil
	}
}
