package main

import (
	"context"
	"path"
	"strings"

	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/tree"
	"github.com/spf13/cobra"
)

func (a *app) findCommand() *cobra.Command {
	var f finder
	c := &cobra.Command{
		Use:   "find [--name GLOB] [--type KINDS] [--null] SRC [PATH|PATTERN]",
		Short: "find entries by name and kind",
		Long: "Write the paths of the directory at PATH and of all below it, or those that match a\n" +
			"PATTERN, in which ** stands for any number of names. -name, -type and -print0 may be\n" +
			"written as find(1) has them.\n" + aboutNames + sources,
		Example: `  inlay find debian:12 /usr/lib -name '*.so.6'
  inlay find debian:12 '/usr/**/tmate'
  inlay find -type l debian:12 /bin/
  inlay find --type f,d --null oci:out /opt | xargs -0 -n1 echo`,
		Args:              sourced(1, 1, 2),
		ValidArgsFunction: a.completeSources(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			return a.with(cmd.Context(), "", func(ctx context.Context, s *session) error {
				f.session = s
				return f.find(ctx, args[0], pathOf(args))
			})
		},
	}
	c.Flags().StringVar(&f.name, "name", "", "only names that match, with *, ? and [...]")
	c.Flags().StringVar(&f.kinds, "type", "", "only these kinds: f file, d directory, l symlink, c, b, p, s")
	c.Flags().BoolVarP(&f.null, "null", "0", false, "end each path with a NUL byte, and never quote it")
	platformFlag(c, &f.platform)
	return a.jsonFlag(c)
}

// findStyle turns the options that find(1) writes with one dash into ours.
func findStyle(args []string) []string {
	out := append([]string(nil), args...)
	found := false
	for i, a := range out {
		switch {
		case a == "--":
			return out
		case !found:
			found = a == "find"
			if !found && !strings.HasPrefix(a, "-") && i == 0 {
				return out
			}
		case a == "-name" || a == "-type":
			out[i] = "-" + a
		case a == "-print0":
			out[i] = "--null"
		}
	}
	return out
}

// finder is one run of find.
type finder struct {
	*session
	name, kinds, platform string
	null                  bool

	page  *page
	found []show.Entry
}

func (f *finder) check() error {
	if _, err := path.Match(f.name, ""); err != nil {
		return usageErrorf("--name %s: %v", f.name, err)
	}
	for _, c := range f.kinds {
		if !strings.ContainsRune("fdlcbps,", c) {
			return usageErrorf("--type %s: want some of f, d, l, c, b, p, s", f.kinds)
		}
	}
	return nil
}

func (f *finder) find(ctx context.Context, src, at string) error {
	resolve := f.result
	if f.json {
		resolve = f.known
	}
	r, err := resolve(ctx, src, f.platform)
	if err != nil {
		return err
	}
	f.page = f.app.page()
	f.found = []show.Entry{}
	e, err := entryAt(ctx, r.Tree, at, tree.FollowParents)
	switch {
	case err != nil && tree.IsNotExist(err) && strings.ContainsAny(at, "*?["):
		err = f.glob(ctx, r.Tree, at)
	case err == nil:
		err = f.walk(ctx, at, e)
	}
	if err != nil {
		return err
	}
	if f.json {
		return f.writeJSON(f.found)
	}
	return f.page.Flush()
}

func (f *finder) walk(ctx context.Context, at string, e tree.Entry) error {
	t, ok := e.(tree.Tree)
	if !ok {
		f.line(path.Join("/", at), e)
		return nil
	}
	for item, err := range tree.Walk(ctx, t, tree.WalkOptions{}) {
		if err != nil {
			return err
		}
		f.line(path.Join("/", at, item.Path), item.Entry)
	}
	return nil
}

func (f *finder) glob(ctx context.Context, t tree.Tree, pattern string) error {
	paths, err := compose.Glob(ctx, t, pattern)
	if err != nil {
		return usageError{err}
	}
	for _, p := range paths {
		e, err := entryAt(ctx, t, strings.TrimSuffix(p, "/"), tree.FollowParents)
		if err != nil {
			return err
		}
		f.line(path.Join("/", p), e)
	}
	return nil
}

func (f *finder) line(p string, e tree.Entry) {
	if f.kinds != "" && strings.IndexByte(f.kinds, show.Letter(e.Kind())) < 0 {
		return
	}
	if ok, _ := path.Match(f.name, path.Base(p)); f.name != "" && !ok {
		return
	}
	switch {
	case f.json:
		f.found = append(f.found, show.EntryOf(p, e, false))
	case f.null:
		f.page.WriteString(p + "\x00")
	default:
		f.page.WriteString(f.page.name(p) + "\n")
	}
}
