package compose

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/tree"
)

// plain gives the path that a pattern stands for alone; ok is false if it is to
// be matched. Without *, ? and [ it is no pattern, and a backslash in it is a
// backslash; a pattern in which all of these have one before them is the path
// without the backslashes.
func plain(p string) (itself string, ok bool) {
	if !strings.ContainsAny(p, "*?[") {
		return p, true
	}
	names := strings.Split(p, "/")
	for i, name := range names {
		if names[i], ok = literal(name); !ok {
			return "", false
		}
	}
	return strings.Join(names, "/"), true
}

// literal gives the name that a name of a pattern stands for alone; ok is false
// if it has a wildcard, or is malformed.
func literal(name string) (unescaped string, ok bool) {
	if !strings.ContainsAny(name, `*?[\`) {
		return name, true
	}
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		switch name[i] {
		case '*', '?', '[':
			return "", false
		case '\\':
			if i++; i == len(name) {
				return "", false
			}
		}
		b.WriteByte(name[i])
	}
	return b.String(), true
}

// Glob gives the paths of t that match a pattern, in bytewise order. A name of
// the pattern is matched as path.Match does; "**" stands for any number of
// names, and for at least one where the pattern ends in it. Symlinks are followed
// on the way to the first name with a wildcard, and not from there on: no entry is
// found by two paths. Names that start with a dot match like others.
func Glob(ctx context.Context, t tree.Tree, pattern string) ([]string, error) {
	for name := range strings.SplitSeq(pattern, "/") {
		if _, err := path.Match(name, ""); err != nil {
			return nil, &fs.PathError{Op: "glob", Path: pattern, Err: err}
		}
	}
	clean := path.Clean("/" + pattern)
	if clean == "/" {
		return []string{"/"}, nil
	}
	at, names := "/", strings.Split(clean[1:], "/")
	for len(names) > 1 {
		name, ok := literal(names[0])
		if !ok {
			break
		}
		at, names = path.Join(at, name), names[1:]
	}
	r, err := tree.Resolve(ctx, t, at, tree.FollowAll)
	if errors.Is(err, tree.ErrLoop) || errors.Is(err, tree.ErrName) || tree.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	dir, ok := r.Entry.(tree.Tree)
	if !ok {
		return nil, nil
	}
	g := &globber{ctx: ctx, found: map[string]bool{}, seen: map[visit]bool{}}
	if err := g.walk(at, dir, names); err != nil {
		return nil, err
	}
	return slices.Sorted(maps.Keys(g.found)), nil
}

type globber struct {
	ctx   context.Context // of the one call of Glob that made it
	found map[string]bool
	seen  map[visit]bool // so that several "**" cost no more than one each
}

// visit is a directory that was matched with the last names of the pattern.
type visit struct {
	at   string
	left int
}

// walk matches what a directory holds with the names that are left.
func (g *globber) walk(at string, dir tree.Tree, names []string) error {
	v := visit{at, len(names)}
	if g.seen[v] {
		return nil
	}
	g.seen[v] = true
	name, rest := names[0], names[1:]
	if itself, ok := literal(name); ok {
		e, ok, err := dir.Get(g.ctx, itself)
		if err != nil || !ok {
			return err
		}
		return g.child(path.Join(at, itself), e, rest)
	}
	deep := name == "**"
	if deep && len(rest) > 0 { // it stands for no name
		if err := g.walk(at, dir, rest); err != nil {
			return err
		}
	}
	for c, err := range dir.All(g.ctx) {
		if err == nil {
			err = g.ctx.Err()
		}
		if err != nil {
			return err
		}
		below := path.Join(at, c.Name)
		if sub, isTree := c.Entry.(tree.Tree); deep && isTree {
			if err := g.walk(below, sub, names); err != nil {
				return err
			}
		}
		if ok, _ := path.Match(name, c.Name); ok && (!deep || len(rest) == 0) {
			if err := g.child(below, c.Entry, rest); err != nil {
				return err
			}
		}
	}
	return nil
}

// child goes on with an entry that a name matched.
func (g *globber) child(at string, e tree.Entry, rest []string) error {
	if len(rest) == 0 {
		g.found[at] = true
		return nil
	}
	sub, isTree := e.(tree.Tree)
	if !isTree {
		return nil
	}
	return g.walk(at, sub, rest)
}
