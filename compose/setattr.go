package compose

import (
	"context"
	"path"
	"slices"

	"github.com/inlaybuild/inlay/tree"
)

// AttrChange says what becomes of attributes. Nil fields keep what is there.
type AttrChange struct {
	Owner *Owner
	Mode  *ModeChange // not of symlinks
	Time  *tree.Time
	// Shallow changes what the paths lead to alone, not what is below it.
	Shallow bool
}

func (c AttrChange) of(e tree.Entry) tree.Attr {
	return Options{Owner: c.Owner, Mode: c.Mode, Time: c.Time}.attr(e)
}

// SetAttr gives t with other attributes of what the paths lead to, and of all
// that is below it. No content is touched. A path is followed to its end; what a
// pattern finds is changed itself, be it a symlink, and symlinks below are never
// followed. An inode has one set of attributes: its other names change with it,
// wherever they are.
//
// A path that does not exist is an fs.ErrNotExist. It costs all that is below
// the paths.
func SetAttr(ctx context.Context, t tree.Tree, paths []string, c AttrChange) (tree.Tree, error) {
	tops, err := attrPaths(ctx, t, paths, c.Shallow)
	if err != nil {
		return tree.Tree{}, err
	}
	if !c.Shallow && slices.Contains(tops, "/") {
		return tree.MapAttr(ctx, t, c.of)
	}
	a := &attrSetter{ctx: ctx, from: t, draft: tree.NewDraft(t), change: c, tops: tops}
	for _, p := range tops {
		if err := a.top(p); err != nil {
			return tree.Tree{}, err
		}
	}
	if err := a.relink(); err != nil {
		return tree.Tree{}, err
	}
	return a.draft.Tree(ctx)
}

type attrSetter struct {
	ctx    context.Context // of the one call of SetAttr that made it
	from   tree.Tree
	draft  *tree.Draft
	change AttrChange
	tops   []string
	groups [][]string // with names in what was changed, and perhaps elsewhere
}

// top changes what stands at a path, and what is below it.
func (a *attrSetter) top(p string) error {
	if p == "/" {
		a.draft.SetAttr(a.change.of(a.draft.Now()))
		return nil
	}
	e, err := a.from.Lookup(a.ctx, p)
	if err != nil {
		return err
	}
	t, isTree := e.(tree.Tree)
	if isTree && a.change.Shallow {
		dir, err := openDraft(a.ctx, a.draft, p)
		if err == nil {
			dir.SetAttr(a.change.of(t))
		}
		return err
	}
	groups, err := leavingGroups(a.ctx, a.from, p, e)
	if err != nil {
		return err
	}
	a.groups = append(a.groups, groups...)
	if !isTree {
		return a.put(p, e.WithAttr(a.change.of(e)))
	}
	if t, err = tree.MapAttr(a.ctx, t, a.change.of); err != nil {
		return err
	}
	return a.put(p, t)
}

func (a *attrSetter) put(p string, e tree.Entry) error {
	dir, err := openDraft(a.ctx, a.draft, path.Dir(p))
	if err == nil {
		dir.Put(path.Base(p), e)
	}
	return err
}

// relink changes the names elsewhere, and makes one inode of all again.
func (a *attrSetter) relink() error {
	for _, g := range a.groups {
		for _, p := range g {
			if slices.ContainsFunc(a.tops, func(top string) bool { return within(p, top) && (p == top || !a.change.Shallow) }) {
				continue
			}
			e, err := a.from.Lookup(a.ctx, p)
			if err != nil {
				return err
			}
			if err := a.put(p, e.WithAttr(a.change.of(e))); err != nil {
				return err
			}
		}
		a.draft.Link(g...)
	}
	return nil
}

// attrPaths gives the paths free of symlinks; without those that lie below
// another one, unless shallow.
func attrPaths(ctx context.Context, t tree.Tree, paths []string, shallow bool) ([]string, error) {
	var out []string
	for _, p := range paths {
		one, ok := plain(p)
		if !ok {
			found, err := Glob(ctx, t, p)
			if err != nil {
				return nil, err
			}
			for _, q := range found {
				r, err := tree.Resolve(ctx, t, q, tree.FollowParents)
				if err != nil {
					return nil, err
				}
				out = append(out, r.Path)
			}
			continue
		}
		r, err := tree.Resolve(ctx, t, one, tree.FollowAll)
		if err != nil {
			return nil, err
		}
		if r.Entry == nil {
			return nil, missing("change the attributes of", one, r)
		}
		out = append(out, r.Path)
	}
	slices.SortFunc(out, tree.ComparePaths)
	last := "" // that was kept
	return slices.DeleteFunc(slices.Compact(out), func(p string) bool {
		if !shallow && last != "" && within(p, last) {
			return true
		}
		last = p
		return false
	}), nil
}
