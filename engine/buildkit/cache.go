package buildkit

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/moby/buildkit/client"

	"github.com/inlaybuild/inlay/engine"
)

// services are the types of caches that daemons know beside registries and directories.
// What their attributes mean is the daemon's to say.
var services = []string{"azblob", "gha", "s3"}

// CheckCacheFrom tells whether a daemon can look for results in c.
func CheckCacheFrom(c engine.Cache) error {
	_, err := cacheFrom(c)
	return err
}

// CheckCacheTo tells whether a daemon can write results to c.
func CheckCacheTo(c engine.Cache) error {
	_, err := cacheTo(c)
	return err
}

func cacheFrom(c engine.Cache) (client.CacheOptionsEntry, error) {
	if c.Type == "inline" {
		return client.CacheOptionsEntry{}, fmt.Errorf("cache %s: results that are in an image are read with type=registry,ref=REF", c)
	}
	return entry(c, "src")
}

// cacheTo has all be written that results follow from, unless something else was asked
// for.
func cacheTo(c engine.Cache) (client.CacheOptionsEntry, error) {
	switch c.Attrs["mode"] {
	case "", "min", "max":
	default:
		return client.CacheOptionsEntry{}, fmt.Errorf("cache %s: mode=%s: it is min or max", c, c.Attrs["mode"])
	}
	e, err := entry(c, "dest")
	if err == nil && e.Attrs["mode"] == "" && e.Type != "inline" {
		e.Attrs["mode"] = "max"
	}
	return e, err
}

// entry gives a cache as daemons have it; dir is what a directory of this machine is
// called.
func entry(c engine.Cache, dir string) (client.CacheOptionsEntry, error) {
	e := client.CacheOptionsEntry{Type: c.Type, Attrs: maps.Clone(c.Attrs)}
	if e.Attrs == nil {
		e.Attrs = map[string]string{}
	}
	needs := map[string]string{"registry": "ref", "local": dir}[c.Type]
	if needs != "" && c.Attrs[needs] == "" {
		return e, fmt.Errorf("cache %s: %s is missing", c, needs)
	}
	if needs == "" && c.Type != "inline" && !slices.Contains(services, c.Type) {
		return e, fmt.Errorf("cache %s: %s is no type that a BuildKit daemon knows: there are registry, local, inline, %s", c, c.Type, strings.Join(services, ", "))
	}
	for ours, theirs := range map[string]string{"plain-http": "registry.insecure", "trust": ""} {
		v, ok := c.Attrs[ours]
		if !ok {
			continue
		}
		if _, err := strconv.ParseBool(v); err != nil {
			return e, fmt.Errorf("cache %s: %s=%s: want true or false", c, ours, v)
		}
		delete(e.Attrs, ours) // that a daemon trusts its caches is not asked
		if theirs != "" {
			e.Attrs[theirs] = v
		}
	}
	return e, nil
}

// entries gives several caches as daemons have them.
func entries(all []engine.Cache, of func(engine.Cache) (client.CacheOptionsEntry, error)) (out []client.CacheOptionsEntry, err error) {
	for _, c := range all {
		e, err := of(c)
		if err != nil {
			return nil, err
		}
		out = append(out, e)
	}
	return out, nil
}

// joined names caches.
func joined(all []engine.Cache) string {
	var names []string
	for _, c := range all {
		names = append(names, c.String())
	}
	return strings.Join(names, " and ")
}

// unread tells that a daemon cannot read a cache, and why. What was never written is
// no reason to worry.
func (r *Remote) unread(cache, why string) {
	if strings.HasSuffix(why, "not found") {
		r.local.Tell(engine.CacheTold{Cache: cache, Text: "there is none yet"})
		return
	}
	r.local.Tell(engine.CacheTold{Cache: cache, Warning: true, Text: "the daemon cannot read it: " + why})
}

// missing tells of directories that are to be caches and are none: the client would
// not ask the daemon to read them.
func (r *Remote) missing() {
	for _, c := range r.from {
		if src := c.Attrs["src"]; c.Type == "local" {
			if _, err := os.Stat(filepath.Join(src, "index.json")); err != nil {
				r.local.Tell(engine.CacheTold{Cache: src, Text: "there is none yet"})
			}
		}
	}
}
