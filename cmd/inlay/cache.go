package main

import (
	"context"
	"fmt"

	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/buildkit"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/spf13/cobra"
)

// cacheFlags adds --cache-from and --cache-to, as buildx has them.
func (a *app) cacheFlags(c *cobra.Command) {
	c.Flags().StringArrayVar(&a.cacheFrom, "cache-from", nil,
		"take results from a cache: type=registry,ref=REF,trust=true or type=local,src=DIR,trust=true; may be repeated; a BuildKit daemon knows more types, trusts its cache, and reads one alone")
	c.Flags().StringArrayVar(&a.cacheTo, "cache-to", nil,
		"write results to a cache: type=registry,ref=REF or type=local,dest=DIR; a BuildKit daemon knows more types, such as inline; may be repeated")
	for _, name := range []string{"cache-from", "cache-to"} {
		_ = c.RegisterFlagCompletionFunc(name, cobra.FixedCompletions([]string{"type=registry,ref=", "type=local,"},
			cobra.ShellCompDirectiveNoSpace|cobra.ShellCompDirectiveNoFileComp))
	}
}

// caches reads the flags for this machine's engine.
func (a *app) caches(o *embedded.Options) (err error) {
	if o.CacheFrom, err = readCaches("--cache-from", a.cacheFrom, embedded.CheckCacheFrom); err != nil {
		return err
	}
	o.CacheTo, err = readCaches("--cache-to", a.cacheTo, embedded.CheckCacheTo)
	return err
}

// daemonCaches reads the flags for a BuildKit daemon.
func (a *app) daemonCaches(o *buildkit.Options) (err error) {
	if o.CacheFrom, err = readCaches("--cache-from", a.cacheFrom, buildkit.CheckCacheFrom); err != nil {
		return err
	}
	o.CacheTo, err = readCaches("--cache-to", a.cacheTo, buildkit.CheckCacheTo)
	return err
}

func readCaches(flag string, texts []string, check func(engine.Cache) error) (out []engine.Cache, err error) {
	for _, s := range texts {
		c, err := engine.ParseCache(s)
		if err == nil {
			err = check(c)
		}
		if err != nil {
			return nil, usageErrorf("%s: %v", flag, err)
		}
		out = append(out, c)
	}
	return out, nil
}

// exportCache writes the results of the run to the caches that were asked for.
func (s *session) exportCache(ctx context.Context) error {
	all, err := s.embedded.ExportCache(ctx, s.display)
	if s.display.Output() {
		s.display.Pause()
		for _, e := range all {
			fmt.Fprintf(s.stderr, "wrote the cache %s: %s, %s sent\n", show.Clean(e.Cache, false), show.Plural(int64(e.Results), "result"), show.Size(e.Sent))
		}
	}
	return err
}
