package main

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/inlaybuild/inlay/tree"
	"github.com/spf13/cobra"
)

func (a *app) diffCommand() *cobra.Command {
	var platform string
	var stat bool
	c := &cobra.Command{
		Use:   "diff [--stat] SRC SRC",
		Short: "list the paths in which two trees differ",
		Long: "List what makes the second tree of the first: A for a path that was added, M for one\n" +
			"that was changed, D for one that was removed, with all below it. What was changed, and\n" +
			"by how many bytes, is told by --stat. The exit code does not tell whether they differ.\n\n" + sources,
		Example: `  inlay diff debian:12 oci:out
  inlay diff --stat dir:./before dir:./after
  inlay diff --json a b`,
		Args:              sourced(2, 2, 2),
		ValidArgsFunction: a.completeSources(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd.Context(), "", func(ctx context.Context, s *session) error {
				var sides [2]tree.Tree
				for i, src := range args {
					r, err := s.result(ctx, src, platform)
					if err != nil {
						return err
					}
					sides[i] = r.Tree
				}
				return s.diff(ctx, sides[0], sides[1], stat)
			})
		},
	}
	c.Flags().BoolVar(&stat, "stat", false, "what was changed, and by how many bytes")
	platformFlag(c, &platform)
	return a.jsonFlag(c)
}

// difference is one path in which two trees differ.
type difference struct {
	Change  string     `json:"change"` // "A", "M" or "D"
	Path    show.Bytes `json:"path"`
	Kind    string     `json:"kind"`
	What    []string   `json:"what,omitempty"` // of "M": content, mode, owner, ...
	Bytes   int64      `json:"bytes"`          // more, or less
	Entries int64      `json:"entries,omitempty"`

	dir bool
}

// diff writes in what two trees differ.
func (s *session) diff(ctx context.Context, a, b tree.Tree, stat bool) error {
	c := comparison{ctx: ctx, found: []difference{}}
	if what := attributes(a, b); len(what) > 0 {
		c.found = append(c.found, difference{Change: "M", Path: "/", Kind: "directory", What: what, dir: true})
	}
	if err := c.directory("/", a, b); err != nil {
		return err
	}
	if s.json {
		return s.writeJSON(c.found)
	}
	p := s.page()
	var bytes int64
	for _, d := range c.found {
		name := string(d.Path)
		if d.dir && name != "/" {
			name += "/"
		}
		if !stat {
			p.printf("%s %s\n", d.Change, p.name(name))
			continue
		}
		bytes += d.Bytes
		more := strings.Join(d.What, ", ")
		if d.Entries > 0 {
			more = "with " + show.Plural(d.Entries, "entry")
		}
		p.printf("%s %12s %s", d.Change, fmt.Sprintf("%+d", d.Bytes), p.name(name))
		if more != "" {
			p.printf("  (%s)", more)
		}
		p.WriteByte('\n')
	}
	if stat {
		p.printf("%s, %+d bytes\n", show.Plural(int64(len(c.found)), "path"), bytes)
	}
	return p.Flush()
}

// comparison collects differences.
type comparison struct {
	ctx   context.Context
	found []difference
}

func (c *comparison) directory(at string, a, b tree.Tree) error {
	for n, err := range tree.Compare(c.ctx, a, b) {
		if err != nil {
			return err
		}
		if err := c.name(path.Join(at, n.Name), n.Old, n.New); err != nil {
			return err
		}
	}
	return nil
}

func (c *comparison) name(at string, was, now tree.Entry) error {
	old, wasDir := was.(tree.Tree)
	dir, isDir := now.(tree.Tree)
	d := difference{Path: show.Bytes(at), dir: isDir}
	switch {
	case now == nil:
		d.Change, d.Kind, d.Bytes, d.dir = "D", was.Kind().String(), -size(was), wasDir
		if wasDir {
			d.Entries = old.Count()
		}
	case was == nil:
		d.Change, d.Kind, d.Bytes = "A", now.Kind().String(), size(now)
	default:
		d.Change, d.Kind = "M", now.Kind().String()
		d.What = attributes(was, now)
		if !wasDir || !isDir {
			d.Bytes = size(now) - size(was)
		}
		if was.Kind() == now.Kind() && wasDir && len(d.What) == 0 {
			return c.directory(at, old, dir)
		}
	}
	if isDir && !wasDir {
		d.Bytes = 0 // what it holds is listed
		if was != nil {
			d.Bytes = -size(was)
		}
	}
	c.found = append(c.found, d)
	switch {
	case isDir && wasDir:
		return c.directory(at, old, dir)
	case isDir:
		return c.directory(at, tree.Empty(), dir)
	}
	return nil
}

// attributes tells in what two entries differ, but for what directories hold.
func attributes(a, b tree.Entry) []string {
	var what []string
	add := func(differs bool, name string) {
		if differs {
			what = append(what, name)
		}
	}
	x, y := a.Attr(), b.Attr()
	if a.Kind() != b.Kind() {
		what = append(what, "kind: "+a.Kind().String()+" to "+b.Kind().String())
	} else {
		switch a := a.(type) {
		case tree.File:
			add(a.Content != b.(tree.File).Content, "content")
		case tree.Symlink:
			add(a.Target != b.(tree.Symlink).Target, "target")
		case tree.Device:
			add(a.Major != b.(tree.Device).Major || a.Minor != b.(tree.Device).Minor, "device")
		}
	}
	add(x.Mode != y.Mode && a.Kind() == b.Kind(), fmt.Sprintf("mode %04o to %04o", x.Mode, y.Mode))
	add(x.UID != y.UID || x.GID != y.GID, fmt.Sprintf("owner %d:%d to %d:%d", x.UID, x.GID, y.UID, y.GID))
	add(x.ModTime != y.ModTime, "time")
	add(x.Xattrs != y.Xattrs, "xattrs")
	return what
}

func size(e tree.Entry) int64 {
	switch e := e.(type) {
	case tree.File:
		return e.Size
	case tree.Tree:
		return e.Bytes()
	}
	return 0
}
