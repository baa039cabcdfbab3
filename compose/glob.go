package compose

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/tree"
)

func hasWildcard(p string) bool { return strings.ContainsAny(p, "*?[\\") }

// Glob gives the paths of t that match a pattern, in bytewise order. A name of
// the pattern is matched as path.Match does; "**" stands for any number of
// names, and for at least one where the pattern ends in it. Symlinks are followed where the pattern goes on below them, but not by
// "**". Names that start with a dot match like others.
func Glob(ctx context.Context, t tree.Tree, pattern string) ([]string, error) {
	for name := range strings.SplitSeq(pattern, "/") {
		if _, err := path.Match(name, ""); err != nil {
			return nil, &fs.PathError{Op: "glob", Path: pattern, Err: err}
		}
	}
	var names []string
	if clean := path.Clean("/" + pattern); clean != "/" {
		names = strings.Split(clean[1:], "/")
	}
	g := &globber{ctx: ctx, root: t, found: map[string]bool{}, seen: map[visit]bool{}}
	if err := g.walk("/", names); err != nil {
		return nil, err
	}
	out := make([]string, 0, len(g.found))
	for p := range g.found {
		out = append(out, p)
	}
	slices.Sort(out)
	return out, nil
}

type globber struct {
	ctx   context.Context // of the one call of Glob that made it
	root  tree.Tree
	found map[string]bool
	seen  map[visit]bool // so that several "**" cost no more than one each
}

// visit is a directory that was matched with the last names of the pattern.
type visit struct {
	at   string
	left int
}

// walk matches what lies below a directory with the names that are left.
func (g *globber) walk(at string, names []string) error {
	if len(names) == 0 {
		g.found[at] = true
		return nil
	}
	v := visit{at, len(names)}
	if g.seen[v] {
		return nil
	}
	g.seen[v] = true
	r, err := tree.Resolve(g.ctx, g.root, at, tree.FollowAll)
	if errors.Is(err, tree.ErrLoop) || tree.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	dir, ok := r.Entry.(tree.Tree)
	if !ok {
		return nil
	}
	if names[0] == "**" {
		if len(names) > 1 {
			if err := g.walk(at, names[1:]); err != nil {
				return err
			}
		}
	} else if !hasWildcard(names[0]) {
		_, ok, err := dir.Get(g.ctx, names[0])
		if err != nil || !ok {
			return err
		}
		return g.walk(path.Join(at, names[0]), names[1:])
	}
	for c, err := range dir.All(g.ctx) {
		if err == nil {
			err = g.ctx.Err()
		}
		if err != nil {
			return err
		}
		below := path.Join(at, c.Name)
		if names[0] == "**" {
			if len(names) == 1 {
				g.found[below] = true
			}
			if c.Entry.Kind() == tree.KindDirectory {
				if err := g.walk(below, names); err != nil {
					return err
				}
			}
			continue
		}
		if ok, _ := path.Match(names[0], c.Name); ok {
			if err := g.walk(below, names[1:]); err != nil {
				return err
			}
		}
	}
	return nil
}
