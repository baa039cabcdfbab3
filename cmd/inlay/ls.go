package main

import (
	"context"
	"path"

	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/inlaybuild/inlay/tree"
	"github.com/spf13/cobra"
)

func (a *app) lsCommand() *cobra.Command {
	var l lister
	c := &cobra.Command{
		Use:   "ls [-l] [-R] [-d] SRC [PATH]",
		Short: "list a directory",
		Long:  "List the names in the directory at PATH, one on each line, in bytewise order,\nthose that start with a dot among them.\n" + aboutNames + sources,
		Example: `  inlay ls debian:12 /etc
  inlay ls -l oci:out /usr/bin
  inlay ls -ld debian:12 /bin
  inlay ls -R --json dir:./rootfs`,
		Args:              sourced(1, 1, 2),
		ValidArgsFunction: a.completeSources(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd.Context(), "", func(ctx context.Context, s *session) error {
				l.session = s
				return l.list(ctx, args[0], pathOf(args))
			})
		},
	}
	c.Flags().BoolVarP(&l.long, "long", "l", false, "mode, owner, size and time too")
	c.Flags().BoolVarP(&l.deep, "recursive", "R", false, "what is below too")
	c.Flags().BoolVarP(&l.self, "directory", "d", false, "the entry itself, not what it holds")
	platformFlag(c, &l.platform)
	return a.jsonFlag(c)
}

// lister is one run of ls.
type lister struct {
	*session
	long, deep, self bool
	platform         string

	page  *page
	found []show.Entry
}

func (l *lister) list(ctx context.Context, src, at string) error {
	follow := tree.FollowAll
	if l.self || l.long {
		follow = tree.FollowParents
	}
	e, err := l.at(ctx, src, l.platform, at, follow)
	if err != nil {
		return err
	}
	return l.show(ctx, at, e)
}

// show lists what stands at a path.
func (l *lister) show(ctx context.Context, at string, e tree.Entry) error {
	l.page = l.app.page()
	l.found = []show.Entry{}
	dir, ok := e.(tree.Tree)
	if !ok || l.self {
		l.line(at, e)
	} else if err := l.directory(ctx, dir, ""); err != nil {
		return err
	}
	if l.json {
		return l.writeJSON(l.found)
	}
	return l.page.Flush()
}

func (l *lister) directory(ctx context.Context, t tree.Tree, at string) error {
	for child, err := range t.All(ctx) {
		if err != nil {
			return err
		}
		name := path.Join(at, child.Name)
		l.line(name, child.Entry)
		if sub, ok := child.Entry.(tree.Tree); ok && l.deep {
			if err := l.directory(ctx, sub, name); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *lister) line(name string, e tree.Entry) {
	if l.json {
		l.found = append(l.found, show.EntryOf(name, e, false))
		return
	}
	if l.long {
		l.page.printf("%s ", show.Long(e))
	}
	l.page.WriteString(l.page.name(name))
	if e.Kind() == tree.KindDirectory && !l.long && name != "/" {
		l.page.WriteByte('/')
	}
	if s, ok := e.(tree.Symlink); ok && l.long {
		l.page.printf(" -> %s", l.page.name(s.Target))
	}
	l.page.WriteByte('\n')
}
