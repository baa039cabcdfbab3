package embedded

import (
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/image/layout"
	"github.com/inlaybuild/inlay/image/registry"
	"github.com/inlaybuild/inlay/internal/cache"
)

// cachePlace is where a cache is.
type cachePlace struct {
	name   string       // for people
	ref    registry.Ref // of a registry; zero for a layout
	plain  bool         // without TLS
	dir    string       // of a layout
	tag    string       // in the layout
	trust  bool         // of one that is read: its results are used
	ignore bool         // of one that is written: that it cannot be is a warning
}

// defaultCacheTag is the name of a cache in a layout, as with buildx.
const defaultCacheTag = "latest"

// CheckCacheFrom tells whether results can be read from c.
func CheckCacheFrom(c engine.Cache) error {
	_, err := cacheFrom(c)
	return err
}

// CheckCacheTo tells whether results can be written to c.
func CheckCacheTo(c engine.Cache) error {
	_, err := cacheTo(c)
	return err
}

func cacheFrom(c engine.Cache) (cachePlace, error) {
	a := attrs{cache: c, known: "ref src tag trust plain-http"}
	p, err := a.place("src")
	p.trust = a.flag("trust")
	return p, a.checked(err)
}

func cacheTo(c engine.Cache) (cachePlace, error) {
	a := attrs{cache: c, known: "ref dest tag mode ignore-error plain-http"}
	p, err := a.place("dest")
	p.ignore = a.flag("ignore-error")
	if m := c.Attrs["mode"]; err == nil && m != "" && m != "max" {
		err = fmt.Errorf("mode=%s: this engine writes the results of all steps, which is mode=max: leave it out", m)
	}
	if err == nil && !p.ref.Digest().IsZero() {
		err = fmt.Errorf("ref=%s: what has a digest cannot be written: use a tag", c.Attrs["ref"])
	}
	return p, a.checked(err)
}

// attrs reads the attributes of a cache. The first error stays.
type attrs struct {
	cache engine.Cache
	known string
	err   error
}

func (a *attrs) flag(name string) bool {
	s, ok := a.cache.Attrs[name]
	if !ok {
		return false
	}
	v, err := strconv.ParseBool(s)
	if err != nil && a.err == nil {
		a.err = fmt.Errorf("%s=%s: want true or false", name, s)
	}
	return v
}

// checked gives the first error, which may be err, with the name of the cache.
func (a *attrs) checked(err error) error {
	known := strings.Fields(a.known)
	for _, k := range slices.Sorted(maps.Keys(a.cache.Attrs)) {
		if !slices.Contains(known, k) && err == nil {
			err = fmt.Errorf("%s is not known: there are %s", k, strings.Join(known, ", "))
		}
	}
	if err == nil {
		err = a.err
	}
	if err != nil {
		return fmt.Errorf("cache %s: %w", a.cache, err)
	}
	return nil
}

// place reads where the cache is; dir is what the directory of a layout is called.
func (a *attrs) place(dir string) (p cachePlace, err error) {
	c := a.cache
	p.plain = a.flag("plain-http")
	switch c.Type {
	case "registry":
		if c.Attrs["ref"] == "" {
			return p, fmt.Errorf("ref is missing: write type=registry,ref=HOST/NAME:TAG")
		}
		if p.ref, err = registry.ParseRef(c.Attrs["ref"]); err != nil {
			return p, err
		}
		p.name = p.ref.Familiar()
		return p, nil
	case "local":
		if p.dir = c.Attrs[dir]; p.dir == "" {
			return p, fmt.Errorf("%s is missing: write type=local,%s=DIR", dir, dir)
		}
		if p.tag = c.Attrs["tag"]; p.tag == "" {
			p.tag = defaultCacheTag
		}
		p.name = "oci:" + p.dir + ":" + p.tag
		return p, nil
	case "inline":
		return p, fmt.Errorf("an inline cache is written into the image that BuildKit pushes, and belongs to its engine: "+
			"this one keeps its cache beside images: use type=registry,ref=HOST/NAME:TAG or type=local,%s=DIR", dir)
	}
	return p, fmt.Errorf("this engine knows the types registry and local")
}

// openCacheSource opens where a cache is read. End closes it.
func (e *Engine) openCacheSource(p cachePlace) (src cache.Source, end func() error, err error) {
	if p.ref.IsZero() {
		l, err := layout.Open(p.dir)
		if err != nil {
			return nil, nil, err
		}
		return l, l.Close, nil
	}
	o := registry.Options{Attempts: 2, Idle: 20 * time.Second, Transport: impatient()}
	if p.plain {
		o.PlainHTTP = []string{p.ref.Domain()}
	}
	return registry.New(o).Repository(p.ref, registry.RepositoryOptions{}), func() error { return nil }, nil
}

// impatient gives a transport for what is made in less time than it takes to wait for
// it long.
func impatient() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.DialContext = (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext
	t.ResponseHeaderTimeout = 15 * time.Second
	return t
}

// openCachePlace opens where a cache is written. End closes it.
func (e *Engine) openCachePlace(p cachePlace) (dst cache.Place, end func() error, err error) {
	if p.ref.IsZero() {
		l, err := layout.Create(p.dir)
		if err != nil {
			return nil, nil, err
		}
		return l, l.Close, nil
	}
	return e.client(p.ref, p.plain).Repository(p.ref, registry.RepositoryOptions{}), func() error { return nil }, nil
}
