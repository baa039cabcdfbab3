package engine

import (
	"encoding/csv"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Cache says where results of other machines are read from, or written for them, as
// users of buildx write it: a type, and attributes whose meaning an engine knows.
type Cache struct {
	Type  string            // "registry", "local", "inline", ...
	Attrs map[string]string // "ref", "src", "dest", "mode", ...
}

// ParseCache reads "type=registry,ref=HOST/NAME:TAG": fields with commas between
// them, in the form of CSV. A lone reference is that of a registry.
func ParseCache(s string) (Cache, error) {
	fields, err := csv.NewReader(strings.NewReader(s)).Read()
	if err != nil {
		return Cache{}, fmt.Errorf("%q: want fields with commas between them, such as type=registry,ref=HOST/NAME:TAG", s)
	}
	if len(fields) == 1 && !strings.Contains(fields[0], "=") {
		return Cache{Type: "registry", Attrs: map[string]string{"ref": fields[0]}}, nil
	}
	c := Cache{Attrs: map[string]string{}}
	for _, f := range fields {
		key, value, ok := strings.Cut(f, "=")
		key = strings.ToLower(strings.TrimSpace(key))
		if _, twice := c.Attrs[key]; !ok || key == "" || twice {
			return Cache{}, fmt.Errorf("%q: %q is not one NAME=VALUE", s, f)
		}
		c.Attrs[key] = value
	}
	c.Type = c.Attrs["type"]
	delete(c.Attrs, "type")
	if c.Type == "" {
		return Cache{}, fmt.Errorf("%q: the type is missing: write type=registry,ref=REF or type=local,src=DIR", s)
	}
	return c, nil
}

// String gives the form that [ParseCache] reads.
func (c Cache) String() string {
	fields := []string{"type=" + c.Type}
	for _, k := range slices.Sorted(maps.Keys(c.Attrs)) {
		fields = append(fields, k+"="+c.Attrs[k])
	}
	var b strings.Builder
	w := csv.NewWriter(&b)
	_ = w.Write(fields) // a strings.Builder takes all
	w.Flush()
	return strings.TrimSuffix(b.String(), "\n")
}

// CacheExported tells what was written to a cache.
type CacheExported struct {
	Cache   string // where it is
	Results int    // that it has now
	Sent    int64  // bytes that were not there
}

// ErrLost is the error of something that a cache promised and that cannot be had:
// the registry is gone, or sends something else. The engine takes no more from that
// cache: resolve the node again, and read what comes of it.
var ErrLost = errors.New("a cache does not have what it promised")

// FromCache says that the result of a step came from a cache. What it is made of is
// read when it is looked at.
type FromCache struct {
	Step  int
	Cache string // where it is, as users write it
}

// CacheTold says what users should know of a cache: that it could not be read, or
// is not trusted. The run goes on without it.
type CacheTold struct {
	Cache   string
	Text    string
	Warning bool // something is wrong
}

func (FromCache) event() {}
func (CacheTold) event() {}
