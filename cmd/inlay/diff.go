package main

import (
	"context"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/runs"
	"github.com/inlaybuild/inlay/tree"
	"github.com/spf13/cobra"
)

func (a *app) diffCommand() *cobra.Command {
	var platform string
	var stat, patch bool
	c := &cobra.Command{
		Use:   "diff [--stat] [-p] SRC [SRC]",
		Short: "list the paths in which two trees differ",
		Long: "List what makes the second tree of the first: A for a path that was added, M for one\n" +
			"that was changed, D for one that was removed, with all below it. What was changed, and\n" +
			"by how many bytes, is told by --stat: an inode counts once. -p shows the lines of files\n" +
			"that differ, as a unified diff. One SRC alone must be a step of a run: then it is what\n" +
			"that step changed. The exit code does not tell whether they differ.\n" + aboutNames + sources,
		Example: `  inlay diff debian:12 oci:out
  inlay diff -p last@2 last@failed
  inlay diff --stat last@failed
  inlay diff --json a b`,
		Args: func(cmd *cobra.Command, args []string) error {
			return sourced(min(len(args), 2), 1, 2)(cmd, args)
		},
		ValidArgsFunction: a.completeSources(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd.Context(), "", func(ctx context.Context, s *session) error {
				var sides []tree.Tree
				for _, src := range args {
					r, err := s.known(ctx, src, platform)
					if err != nil {
						return err
					}
					sides = append(sides, r.Tree)
				}
				if len(args) == 1 {
					before, err := s.before(ctx, args[0])
					if err != nil {
						return err
					}
					sides = []tree.Tree{before, sides[0]}
				}
				return s.diff(ctx, sides[0], sides[1], diffOptions{stat: stat, patch: patch})
			})
		},
	}
	c.Flags().BoolVar(&stat, "stat", false, "what was changed, and by how many bytes")
	c.Flags().BoolVarP(&patch, "patch", "p", false, "the lines in which files differ")
	platformFlag(c, &platform)
	return a.jsonFlag(c)
}

// before gives the tree that a step began with; an empty one if it began with none.
func (s *session) before(ctx context.Context, src string) (tree.Tree, error) {
	p, err := place(src)
	if err != nil {
		return tree.Tree{}, err
	}
	if p.Scheme != engine.SchemeStep {
		return tree.Tree{}, usageErrorf("%s is no step of a run: say what it is to be compared with", src)
	}
	st, err := s.step(ctx, p.Path)
	if err != nil {
		return tree.Tree{}, err
	}
	if st.step.Before.IsZero() {
		if in := st.step.Inputs; st.step.IsRemote() && len(in) > 0 {
			r, err := s.known(ctx, runs.Name{Run: st.run.Run.Name, Step: strconv.Itoa(in[0] + 1)}.String(), "")
			return r.Tree, err
		}
		return tree.Empty(), nil
	}
	r, err := s.result(ctx, st.step.Before.String(), "")
	return r.Tree, err
}

// foundStep is a step, and the run that it is of.
type foundStep struct {
	run  runs.Found
	step *runs.Step
}

// step finds the step whose tree a name stands for.
func (s *session) step(ctx context.Context, name string) (foundStep, error) {
	n, err := runs.ParseName(name)
	if err != nil {
		return foundStep{}, usageError{err}
	}
	f, err := runs.Find(ctx, s.embedded.Store(), n)
	if err != nil {
		return foundStep{}, err
	}
	st, err := f.Made()
	return foundStep{f, st}, err
}

// difference is one path in which two trees differ.
type difference struct {
	Change  string     `json:"change"` // "A", "M" or "D"
	Path    show.Bytes `json:"path"`
	Kind    string     `json:"kind"`
	What    []string   `json:"what,omitempty"` // of "M": content, mode, owner, ...
	Bytes   int64      `json:"bytes"`          // more, or less
	Entries int64      `json:"entries,omitempty"`
	Patch   show.Bytes `json:"patch,omitempty"` // with -p: a unified diff

	dir      bool
	was, now tree.Entry
	gone     []gone // files of a directory that is no more
}

// diffOptions say how much is told of differences.
type diffOptions struct {
	stat  bool // what was changed, and by how many bytes
	patch bool // which lines of files
}

// diff writes in what two trees differ.
func (s *session) diff(ctx context.Context, a, b tree.Tree, o diffOptions) error {
	c := comparison{ctx: ctx, found: []difference{}, deep: o.stat || o.patch || s.json}
	if what := attributes(a, b); len(what) > 0 {
		c.found = append(c.found, difference{Change: "M", Path: "/", Kind: "directory", What: what, dir: true})
	}
	if err := c.directory("/", a, b); err != nil {
		return err
	}
	if err := c.links(a, b); err != nil {
		return err
	}
	if c.deep {
		if err := c.bytes(a, b); err != nil {
			return err
		}
	}
	if s.json {
		return s.diffJSON(ctx, c.found, o)
	}
	p := s.page()
	var bytes int64
	for _, d := range c.found {
		bytes += d.Bytes
		d.write(p, o)
		if !o.patch {
			continue
		}
		text, err := s.patch(ctx, d)
		if err != nil {
			return err
		}
		p.patch(text)
	}
	if o.stat {
		p.printf("%s, %+d bytes\n", show.Plural(int64(len(c.found)), "path"), bytes)
	}
	return p.Flush()
}

func (s *session) diffJSON(ctx context.Context, found []difference, o diffOptions) error {
	for i := range found {
		if !o.patch {
			break
		}
		text, err := s.patch(ctx, found[i])
		if err != nil {
			return err
		}
		found[i].Patch = show.Bytes(text)
	}
	return s.writeJSON(found)
}

// write writes the line of a difference.
func (d difference) write(p *page, o diffOptions) {
	name := string(d.Path)
	if d.dir && name != "/" {
		name += "/"
	}
	if !o.stat && !o.patch {
		p.printf("%s %s\n", d.Change, p.name(name))
		return
	}
	p.WriteString(d.Change)
	if o.stat {
		p.printf(" %12s", fmt.Sprintf("%+d", d.Bytes))
	}
	p.WriteString(" " + p.name(name))
	more := strings.Join(d.What, ", ")
	if d.Entries > 0 {
		more = "with " + show.Plural(d.Entries, "entry")
	}
	if more != "" {
		p.printf("  (%s)", more)
	}
	p.WriteByte('\n')
}

// comparison collects differences.
type comparison struct {
	ctx    context.Context
	found  []difference
	linked []string // names of hardlinks in one of the trees
	deep   bool     // also what a directory held that is gone
}

func (c *comparison) directory(at string, a, b tree.Tree) error {
	for _, t := range []tree.Tree{a, b} {
		if err := c.candidates(at, t); err != nil {
			return err
		}
	}
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
	d := difference{Path: show.Bytes(at), dir: isDir, was: was, now: now}
	switch {
	case now == nil:
		d.Change, d.Kind, d.dir = "D", was.Kind().String(), wasDir
		if wasDir {
			d.Entries = old.Count()
		}
	case was == nil:
		d.Change, d.Kind = "A", now.Kind().String()
	default:
		d.Change, d.Kind = "M", now.Kind().String()
		d.What = attributes(was, now)
		if was.Kind() == now.Kind() && wasDir && len(d.What) == 0 {
			return c.directory(at, old, dir)
		}
	}
	if wasDir && !isDir && c.deep {
		var err error
		if d.gone, err = c.below(at, old); err != nil {
			return err
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
