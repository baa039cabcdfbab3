package main

import (
	"context"
	"io/fs"
	"path"

	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/inlaybuild/inlay/tree"
	"github.com/spf13/cobra"
)

func (a *app) treeCommand() *cobra.Command {
	var platform string
	var depth int
	c := &cobra.Command{
		Use:   "tree [--depth N] SRC [PATH]",
		Short: "show a directory with all below it",
		Long:  "Show the directory at PATH with all below it. Directories whose entries are left out\nby --depth tell how many they hold.\n" + aboutNames + sources,
		Example: `  inlay tree --depth 1 debian:12
  inlay tree oci:out /opt`,
		Args:              sourced(1, 1, 2),
		ValidArgsFunction: a.completeSources(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if depth < 0 {
				return usageErrorf("--depth %d: want a number of levels, 0 for all", depth)
			}
			return a.with(cmd.Context(), "", func(ctx context.Context, s *session) error {
				e, err := s.at(ctx, args[0], platform, pathOf(args), tree.FollowAll)
				if err != nil {
					return err
				}
				t, ok := e.(tree.Tree)
				if !ok {
					return &fs.PathError{Op: "list", Path: pathOf(args), Err: tree.ErrNotDirectory}
				}
				return s.tree(ctx, pathOf(args), t, depth)
			})
		},
	}
	c.Flags().IntVar(&depth, "depth", 0, "how many levels; 0 for all")
	platformFlag(c, &platform)
	return a.jsonFlag(c)
}

// tree draws a directory. The JSON form is a list of entries with their paths.
func (s *session) tree(ctx context.Context, at string, t tree.Tree, depth int) error {
	if s.json {
		found := []show.Entry{}
		for item, err := range tree.Walk(ctx, t, tree.WalkOptions{Prune: func(i tree.Item) bool { return depth > 0 && level(i.Path) >= depth }}) {
			if err != nil {
				return err
			}
			found = append(found, show.EntryOf(path.Join("/", at, item.Path), item.Entry, false))
		}
		return s.writeJSON(found)
	}
	d := drawing{s.page(), depth}
	d.printf("%s\n", d.name(at))
	if err := d.draw(ctx, t, "", 1); err != nil {
		return err
	}
	return d.Flush()
}

// level gives how many names a clean path has.
func level(p string) int {
	n := 0
	for i, c := range p {
		if c == '/' && i < len(p)-1 {
			n++
		}
	}
	return n
}

// drawing is a tree as lines.
type drawing struct {
	*page
	depth int
}

func (d drawing) draw(ctx context.Context, t tree.Tree, indent string, level int) error {
	left := t.Len()
	for child, err := range t.All(ctx) {
		if err != nil {
			return err
		}
		left--
		branch, below := "├── ", "│   "
		if left == 0 {
			branch, below = "└── ", "    "
		}
		d.printf("%s%s%s", indent, branch, d.name(child.Name))
		switch e := child.Entry.(type) {
		case tree.Symlink:
			d.printf(" -> %s\n", d.name(e.Target))
		case tree.Tree:
			if d.depth > 0 && level >= d.depth {
				d.printf("/ (%s)\n", show.Plural(e.Len(), "entry"))
				continue
			}
			d.printf("/\n")
			if err := d.draw(ctx, e, indent+below, level+1); err != nil {
				return err
			}
		default:
			d.printf("\n")
		}
	}
	return nil
}
