package compose

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/tree"
)

// Rename gives t with what one path leads to at another path, with all that it
// holds, its attributes and its hardlinks. The parents of both paths are
// followed, a symlink that they end in is not. What stands at the new path is
// replaced; missing parents are made. If the new path ends in a slash, the entry
// goes into the directory that it leads to, under its own name.
//
// A path that does not exist is an fs.ErrNotExist. The root cannot be renamed,
// and no directory can go below itself. It costs the depth of the paths, and the
// hardlink groups that lead out of a directory that is renamed.
func Rename(ctx context.Context, t tree.Tree, from, to string, o Options) (Result, error) {
	e, err := openEdit(ctx, t, "rename", from, to, o)
	if err != nil {
		return Result{}, err
	}
	if e.from == e.to {
		return Result{Tree: t}, nil
	}
	if e.from == "/" || e.to == "/" || strings.HasPrefix(e.to, e.from+"/") {
		return Result{}, e.refuse(errBelowItself)
	}
	groups, err := leavingGroups(ctx, t, e.from, e.entry)
	if err != nil {
		return Result{}, err
	}
	dir, err := openDraft(ctx, e.draft, path.Dir(e.from))
	if err != nil {
		return Result{}, err
	}
	dir.Remove(path.Base(e.from))
	if err := e.put(); err != nil {
		return Result{}, err
	}
	for _, g := range groups {
		e.draft.Link(e.renamed(g)...)
	}
	return e.result()
}

// renamed gives the names of a group as they are after renaming.
func (e *edit) renamed(group []string) []string {
	var now []string
	for _, p := range group {
		if within(p, e.from) {
			now = append(now, e.to+strings.TrimPrefix(p, e.from))
		} else if !within(p, e.to) {
			now = append(now, p)
		}
	}
	return now
}

var errBelowItself = errors.New("a directory cannot go below itself, and the root stays where it is")

// edit is an operation within one tree: what one path leads to gets another.
type edit struct {
	*planner
	op       string
	from, to string // free of symlinks, but for a last one
	entry    tree.Entry
	hops     []tree.Hop // that led to the destination
}

// openEdit finds where the paths of an operation lead.
func openEdit(ctx context.Context, t tree.Tree, op, from, to string, o Options) (*edit, error) {
	r, err := tree.Resolve(ctx, t, from, tree.FollowParents)
	if err != nil {
		return nil, err
	}
	into := endsInSlash(to)
	f := tree.FollowParents
	if into {
		f = tree.FollowAll
	}
	dst, err := tree.Resolve(ctx, t, to, f)
	if err != nil {
		return nil, err
	}
	if r.Entry == nil {
		return nil, missing(op, from, r)
	}
	if into {
		clean, err := tree.CleanPath(from)
		if err != nil {
			return nil, err
		}
		dst.Path = path.Join(dst.Path, path.Base(clean))
		to = path.Join(to, path.Base(clean))
	}
	p := newPlanner(ctx, tree.NewDraft(t), o, enough)
	p.root = true
	if p.asked, err = tree.CleanPath(to); err != nil {
		return nil, err
	}
	return &edit{
		planner: p,
		op:      op, from: r.Path, to: dst.Path, entry: r.Entry, hops: dst.Hops,
	}, nil
}

func (e *edit) refuse(err error) error {
	return &fs.PathError{Op: e.op, Path: e.from + " to " + e.to, Err: err}
}

// put makes the destination stand for the entry.
func (e *edit) put() error {
	parent, err := e.makeDirs(path.Dir(e.to), e.hops)
	if err != nil {
		return fmt.Errorf("%s %s to %s: %w", e.op, e.from, e.to, err)
	}
	name := path.Base(e.to)
	was, ok, err := parent.dir.Get(e.ctx, name)
	if err != nil {
		return err
	}
	if ok {
		e.overwrite(e.to)
	}
	gone, err := e.gone(e.ctx, parent.dir, name, was)
	if err != nil {
		return err
	}
	e.note(Placement{Action: Graft, From: e.from, To: e.to, Entry: e.entry, Hops: e.hops, Replaced: was, Gone: gone})
	parent.dir.Put(name, e.entry)
	return nil
}

// within tells whether a path is another one or lies below it.
func within(p, dir string) bool {
	return dir == "/" || p == dir || strings.HasPrefix(p, dir+"/")
}

func (e *edit) result() (Result, error) {
	if len(e.overwritten) > 0 {
		return Result{}, &ForbidError{Paths: e.overwritten}
	}
	t, err := e.draft.Tree(e.ctx)
	if err != nil {
		return Result{}, err
	}
	return e.settle(e.ctx, t)
}

// leavingGroups gives the hardlink groups that have names at or below a path and
// elsewhere: all of their names.
func leavingGroups(ctx context.Context, t tree.Tree, at string, e tree.Entry) ([][]string, error) {
	names := []string{at}
	if isDirectory(e) {
		names = nil
		v := &views{ctx: ctx, src: t, at: map[string]tree.LinkView{}}
		view, err := v.view(at)
		if err != nil {
			return nil, err
		}
		for p := range view.Paths() {
			names = append(names, path.Join(at, p))
		}
	}
	var groups [][]string
	seen := map[string]bool{}
	for _, p := range names {
		if seen[p] {
			continue
		}
		g, err := t.LinkGroup(ctx, p)
		if err != nil {
			return nil, err
		}
		for _, q := range g {
			seen[q] = true
		}
		if slices.ContainsFunc(g, func(q string) bool { return !within(q, at) }) {
			groups = append(groups, g)
		}
	}
	return groups, nil
}
