package compose

import (
	"context"
	"fmt"
	"io/fs"
	"path"

	"github.com/inlaybuild/inlay/tree"
)

// CopySeveral copies several sources, each a path or a pattern, as one copy: see
// [Copy]. Files go into the destination, names of one inode stay one.
func CopySeveral(ctx context.Context, dst tree.Tree, to string, src tree.Tree, from []string, o Options) (Result, error) {
	return copySeveral(ctx, dst, to, src, from, o, enough)
}

func copySeveral(ctx context.Context, dst tree.Tree, to string, src tree.Tree, from []string, o Options, wide int64) (Result, error) {
	var paths []string
	for _, p := range from {
		if one, ok := plain(p); ok {
			paths = append(paths, one)
			continue
		}
		found, err := Glob(ctx, src, p)
		if err != nil {
			return Result{}, err
		}
		if len(found) == 0 && !o.AllowEmpty {
			return Result{}, &fs.PathError{Op: "copy", Path: p, Err: fmt.Errorf("nothing matches: %w", fs.ErrNotExist)}
		}
		paths = append(paths, found...)
	}
	sources := make([]source, len(paths))
	for i, p := range paths {
		var err error
		if sources[i], err = findSource(ctx, src, p, o); err != nil {
			return Result{}, err
		}
		if err := sources[i].prepare(ctx, src, o); err != nil {
			return Result{}, err
		}
	}
	if len(sources) > 1 {
		if err := shareGroups(ctx, src, sources, o); err != nil {
			return Result{}, err
		}
	}
	p := newPlanner(ctx, tree.NewDraft(dst), o, wide)
	p.several = len(from) > 1 || len(sources) > 1
	p.aliased = p.several
	return copyAll(ctx, p, to, sources)
}

// shareGroups tells all sources of the hardlink groups that go from one to
// another. It costs the directories that lead to the sources, and all of the
// sources where options select or one source lies in another.
func shareGroups(ctx context.Context, src tree.Tree, sources []source, o Options) error {
	v := &views{ctx: ctx, src: src, at: map[string]tree.LinkView{}}
	all := o.selects() || nested(sources)
	for i := range sources {
		s := &sources[i]
		t, isTree := s.entry.(tree.Tree)
		if !isTree {
			above, err := v.view(path.Dir(s.path))
			if err != nil {
				return err
			}
			s.link = above.Of(path.Base(s.path))
			continue
		}
		own, err := v.view(s.path)
		if err == nil && all {
			inside := map[string]*tree.Link{}
			if err = v.collect(s.path, "", t, inside); err == nil {
				own, err = tree.LinkViewOf(ctx, t, inside)
			}
		}
		if err != nil {
			return err
		}
		s.groups.own = &own
	}
	return nil
}

// nested tells whether a source lies in another one.
func nested(sources []source) bool {
	dirs := map[string]bool{}
	for _, s := range sources {
		if s.entry.Kind() == tree.KindDirectory {
			if dirs[s.path] {
				return true
			}
			dirs[s.path] = true
		}
	}
	for _, s := range sources {
		for at := s.path; at != "/"; {
			if at = path.Dir(at); dirs[at] {
				return true
			}
		}
	}
	return false
}

// views has the view of each directory of the source once, so that a group is
// one from whatever source it is seen.
type views struct {
	ctx context.Context // of the one call of CopySeveral that made it
	src tree.Tree
	at  map[string]tree.LinkView
}

// view gives the view of the directory at a path without symlinks.
func (v *views) view(at string) (tree.LinkView, error) {
	if l, ok := v.at[at]; ok {
		return l, nil
	}
	var l tree.LinkView
	if at == "/" {
		var err error
		if l, err = tree.NewLinkView(v.ctx, v.src); err != nil {
			return l, err
		}
	} else {
		above, err := v.view(path.Dir(at))
		if err != nil {
			return l, err
		}
		e, err := v.src.Lookup(v.ctx, at)
		if err != nil {
			return l, err
		}
		t, isTree := e.(tree.Tree)
		if !isTree {
			return l, nil
		}
		if l, err = above.Below(v.ctx, path.Base(at), t); err != nil {
			return l, err
		}
	}
	v.at[at] = l
	return l, nil
}

// collect adds the groups of all names at and below kept, which is what is left
// of the source's directory at a path.
func (v *views) collect(at, prefix string, kept tree.Tree, into map[string]*tree.Link) error {
	l, err := v.view(at)
	if err != nil {
		return err
	}
	for c, err := range kept.All(v.ctx) {
		if err == nil {
			err = v.ctx.Err()
		}
		if err != nil {
			return err
		}
		if sub, isTree := c.Entry.(tree.Tree); isTree {
			if err := v.collect(path.Join(at, c.Name), prefix+c.Name+"/", sub, into); err != nil {
				return err
			}
		} else if link := l.Of(c.Name); link != nil {
			into[prefix+c.Name] = link
		}
	}
	return nil
}
