package compose

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/inlaybuild/inlay/tree"
)

// Result is what a copy, a merge or a change set made, and how.
type Result struct {
	Tree       tree.Tree
	Placements []Placement
	// Replaced is what was lost, in order: what gave way to something of another
	// kind, and what was hidden by less than it was.
	Replaced []Replacement
}

// Copy gives dst with a file, or with the contents of a directory, of src in
// it. Neither tree changes.
//
// The source path may have wildcards (*, ?, [...], **); otherwise a symlink that
// it ends in is followed, unless KeepLink is set. A file goes into the
// destination if that ends in a slash, leads to a directory, or there are
// several sources; otherwise it becomes what stands there. Of a directory the
// contents go into the destination, which is created if need be. Missing parents
// are created.
//
// A source that does not exist is an fs.ErrNotExist with the nearest directory
// that does. Errors of links and of parents that are not directories name the
// path. It costs the depth of the paths and the overlap of the directories that
// meet; options that change attributes or select cost all of the source.
func Copy(ctx context.Context, dst tree.Tree, to string, src tree.Tree, from string, o Options) (Result, error) {
	return CopySeveral(ctx, dst, to, src, []string{from}, o)
}

// Put gives dst with one entry in it, that is called name where it comes from:
// a copy of that entry alone.
func Put(ctx context.Context, dst tree.Tree, to, name string, e tree.Entry, o Options) (Result, error) {
	s := source{path: "/" + name, name: name, entry: e}
	if err := s.prepare(ctx, tree.Empty(), o); err != nil {
		return Result{}, err
	}
	return copyAll(ctx, newPlanner(ctx, tree.NewDraft(dst), o, enough), to, []source{s})
}

// copyAll carries out the copies of all sources, of which there are several if
// the planner says so.
func copyAll(ctx context.Context, p *planner, to string, sources []source) (Result, error) {
	if _, err := tree.CleanPath(to); err != nil {
		return Result{}, err
	}
	holds := func(s source) bool { return isDirectory(s.entry) }
	if p.o.Existing == ExistingReplace && slices.ContainsFunc(sources, holds) {
		if err := p.clear(to); err != nil {
			return Result{}, err
		}
	}
	for _, s := range sources {
		if err := p.copy(to, s); err != nil {
			return Result{}, fmt.Errorf("copy %s to %s: %w", s.path, to, err)
		}
	}
	if len(p.overwritten) > 0 {
		return Result{}, &ForbidError{Paths: p.overwritten}
	}
	p.link()
	t, err := p.draft.Tree(ctx)
	if err != nil {
		return Result{}, err
	}
	return p.settle(ctx, t)
}

// source is one thing to copy.
type source struct {
	path   string // in the source tree, free of symlinks
	name   string // its base name, as the user gave it
	entry  tree.Entry
	groups groups     // for a directory: of what it holds
	link   *tree.Link // for another entry
}

// prepare makes of the source, which is in the tree src, what is to be put:
// selected, with the attributes that the options give.
func (s *source) prepare(ctx context.Context, src tree.Tree, o Options) error {
	t, isTree := s.entry.(tree.Tree)
	if !isTree {
		s.entry = s.entry.WithAttr(o.attr(s.entry))
		return nil
	}
	if o.selects() {
		var err error
		if t, err = selectIn(ctx, src, t, o.selection(s.path)); err != nil {
			return err
		}
	}
	if o.Owner != nil || o.Mode != nil || o.Time != nil {
		var err error
		if t, err = tree.MapAttr(ctx, t, o.attr); err != nil {
			return err
		}
	}
	s.entry = t
	return nil
}

// attr gives the attributes that an entry of the source gets.
func (o Options) attr(e tree.Entry) tree.Attr {
	a := e.Attr()
	if o.Owner != nil {
		a.UID, a.GID = o.Owner.UID, o.Owner.GID
	}
	if o.Mode != nil && e.Kind() != tree.KindSymlink {
		a.Mode = o.Mode.Of(a.Mode, e.Kind() == tree.KindDirectory)
	}
	if o.Time != nil {
		a.ModTime = *o.Time
	}
	return a
}

// findSource gives what one path leads to. A name of a hardlink group gets its
// group only where several sources are copied: one source has all of its groups
// inside.
func findSource(ctx context.Context, src tree.Tree, p string, o Options) (source, error) {
	follow := tree.FollowAll
	if o.KeepLink {
		follow = tree.FollowParents
	}
	r, err := tree.Resolve(ctx, src, p, follow)
	if err != nil {
		return source{}, err
	}
	if r.Entry == nil {
		return source{}, missing("copy", p, r)
	}
	if o.File && r.Entry.Kind() == tree.KindDirectory {
		return source{}, &fs.PathError{Op: "copy", Path: p, Err: errDirectory}
	}
	if o.Contents && r.Entry.Kind() != tree.KindDirectory {
		return source{}, &fs.PathError{Op: "copy", Path: p, Err: fmt.Errorf("is a %s: %w", r.Entry.Kind(), tree.ErrNotDirectory)}
	}
	clean, err := tree.CleanPath(p)
	if err != nil {
		return source{}, err
	}
	return source{path: r.Path, name: path.Base(clean), entry: r.Entry}, nil
}

// errDirectory is the error of a directory where a file is due.
var errDirectory = errors.New("is a directory; use WithDirectory to copy what it holds")

// errIntoItself is the error of a copy that, by a symlink of the destination,
// takes away the directory that it copies into.
var errIntoItself = errors.New("the copy would replace a directory that it is copying into; use Overlay, or take away the symlink that leads there")

// errNotParent is the error of a destination below something that cannot hold
// names.
var errNotParent = errors.New("a parent of the destination is not a directory; use Overlay to replace it")
