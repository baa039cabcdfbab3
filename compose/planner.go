package compose

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/tree"
)

// planner is the state of one copy: it decides placements in the order of the
// source's paths and carries each out on the draft at once, so that later ones
// see what earlier ones did, as a process that copies would.
type planner struct {
	ctx   context.Context // of the one call of Copy that made it
	o     Options
	draft *tree.Draft
	journal
	into        []string // the directories that are being copied into, from the root of the copy on
	overwritten []string // paths that ExistingForbid forbids
	links       map[*tree.Link][]landing
	several     bool  // files go into the destination
	aliased     bool  // two paths may be one: a symlink of the destination was followed, or there are several sources
	wide        int64 // see [enough]
}

// newPlanner gives the planner of a copy of one source into what d holds.
func newPlanner(ctx context.Context, d *tree.Draft, o Options, wide int64) *planner {
	return &planner{ctx: ctx, o: o, draft: d, links: map[*tree.Link][]landing{}, wide: wide}
}

// spot is a directory of the destination: its draft and its path.
type spot struct {
	dir  *tree.Draft
	path string
}

func (s spot) child(name string) string { return path.Join(s.path, name) }

func (p *planner) copy(to string, s source) error {
	p.root = true
	if p.o.Overlay {
		return p.copyOverlay(to, s)
	}
	var err error
	if p.asked, err = tree.CleanPath(to); err != nil {
		return err
	}
	r, err := p.draft.Resolve(p.ctx, to, tree.FollowAll)
	if err != nil {
		if errors.Is(err, tree.ErrNotDirectory) {
			return fmt.Errorf("%w: %w", errNotParent, err)
		}
		return err
	}
	dir, isTree := s.entry.(tree.Tree)
	into := !isTree && (p.several || endsInSlash(to) || isDirectory(r.Entry))
	if into {
		p.asked = path.Join(p.asked, s.name)
		at, err := p.makeDirs(r.Path, r.Hops)
		if err != nil {
			return err
		}
		return p.place(at, s.name, s.path, s.entry, s.link, r.Hops)
	}
	if isTree && isDirectory(r.Entry) {
		at, err := p.makeDirs(r.Path, r.Hops)
		if err != nil {
			return err
		}
		return p.mergeRoot(at, s, dir, r.Hops)
	}
	parent, err := p.makeDirs(path.Dir(r.Path), r.Hops)
	if err != nil {
		return err
	}
	if isTree {
		return p.placeTree(parent, path.Base(r.Path), s.path, dir, s.groups, r.Hops)
	}
	return p.place(parent, path.Base(r.Path), s.path, s.entry, s.link, r.Hops)
}

// copyOverlay copies as a layer would: the path is what it says, and what is in
// its way is replaced.
func (p *planner) copyOverlay(to string, s source) error {
	clean, err := tree.CleanPath(to)
	if err != nil {
		return err
	}
	dir, isTree := s.entry.(tree.Tree)
	if isTree {
		r, err := p.draft.Resolve(p.ctx, clean, tree.FollowNone)
		if err == nil && isDirectory(r.Entry) {
			at, err := p.makeDirs(clean, nil)
			if err != nil {
				return err
			}
			return p.mergeRoot(at, s, dir, nil)
		}
	} else if p.several || endsInSlash(to) || clean == "/" {
		clean = path.Join(clean, s.name)
	}
	parent, err := p.makeDirs(path.Dir(clean), nil)
	if err != nil {
		return err
	}
	if isTree {
		return p.placeTree(parent, path.Base(clean), s.path, dir, s.groups, nil)
	}
	return p.place(parent, path.Base(clean), s.path, s.entry, s.link, nil)
}

func endsInSlash(p string) bool {
	return strings.HasSuffix(p, "/") || strings.HasSuffix(p, "/.") || p == "." || p == ""
}

func isDirectory(e tree.Entry) bool {
	return e != nil && e.Kind() == tree.KindDirectory
}

// makeDirs gives the directory at a path without symlinks, made with its parents
// where it is missing. In Overlay mode anything else in the way is replaced.
func (p *planner) makeDirs(at string, hops []tree.Hop) (spot, error) {
	s := spot{p.draft, "/"}
	for name := range strings.SplitSeq(strings.Trim(at, "/"), "/") {
		if name == "" {
			break
		}
		sub, ok, err := s.dir.Dir(p.ctx, name)
		if err != nil {
			return s, err
		}
		to := s.child(name)
		if !ok {
			was, exists, err := s.dir.Get(p.ctx, name)
			if err != nil {
				return s, err
			}
			if exists && !p.o.Overlay {
				return s, fmt.Errorf("%w: %s is a %s: %w", errNotParent, to, was.Kind(), tree.ErrNotDirectory)
			}
			gone := int64(0)
			if exists {
				p.overwrite(to)
				gone = 1
			}
			a := tree.Attr{Mode: 0o755, ModTime: p.o.Epoch}
			if p.o.Owner != nil {
				a.UID, a.GID = p.o.Owner.UID, p.o.Owner.GID
			}
			p.note(Placement{Action: MakeDirectory, To: to, Attr: &a, Entry: tree.Empty().With(a), Hops: hops, Replaced: was, Gone: gone})
			sub = s.dir.MakeDir(name, a)
		}
		s = spot{sub, to}
	}
	return s, nil
}

// clear empties the destination, if it is a directory.
func (p *planner) clear(to string) error {
	f := tree.FollowAll
	if p.o.Overlay {
		f = tree.FollowNone
	}
	r, err := p.draft.Resolve(p.ctx, to, f)
	if errors.Is(err, tree.ErrNotDirectory) {
		return nil // the copy will tell, or replace
	}
	if err != nil || !isDirectory(r.Entry) {
		return err
	}
	at, err := p.makeDirs(r.Path, r.Hops)
	if err != nil {
		return err
	}
	if p.asked, err = tree.CleanPath(to); err != nil {
		return err
	}
	gone, err := at.dir.Count(p.ctx)
	if err != nil {
		return err
	}
	p.note(Placement{Action: Clear, To: at.path, Entry: at.dir.Now(), Hops: r.Hops, Gone: gone})
	return at.dir.Clear(p.ctx)
}

// mergeRoot merges the root of a copy into a directory that is there, and that
// keeps its own attributes.
func (p *planner) mergeRoot(at spot, s source, dir tree.Tree, hops []tree.Hop) error {
	p.note(Placement{Action: MergeInto, From: s.path, To: at.path, Entry: dir, Hops: hops})
	return p.merge(at, s.path, dir, s.groups)
}

// place makes name in at stand for an entry that is not a directory.
func (p *planner) place(at spot, name, from string, e tree.Entry, link *tree.Link, hops []tree.Hop) error {
	was, ok, err := at.dir.Get(p.ctx, name)
	if err != nil {
		return err
	}
	to := at.child(name)
	if to == "/" {
		return fmt.Errorf("a %s cannot take the place of the root", e.Kind())
	}
	if isDirectory(was) && slices.ContainsFunc(p.into, func(into string) bool { return within(into, to) }) {
		return fmt.Errorf("%s leads to %s: %w", path.Join(p.into[len(p.into)-1], name), to, errIntoItself)
	}
	if ok {
		p.overwrite(to)
	}
	if link != nil {
		p.land(link, to)
	}
	gone, err := p.gone(p.ctx, at.dir, name, was)
	if err != nil {
		return err
	}
	p.note(Placement{Action: Graft, From: from, To: to, Entry: e, Hops: hops, Replaced: was, Gone: gone})
	at.dir.Put(name, e)
	return nil
}

// placeTree copies a directory to name in at: grafted where nothing is in the
// way, merged where a directory is.
func (p *planner) placeTree(at spot, name, from string, t tree.Tree, g groups, hops []tree.Hop) error {
	was, ok, err := at.dir.Get(p.ctx, name)
	if err != nil {
		return err
	}
	to := at.child(name)
	if _, isLink := was.(tree.Symlink); isLink && !p.o.Overlay {
		into, hops, ok, err := p.throughLink(to)
		if err != nil {
			return err
		}
		if ok {
			p.aliased = true
			p.asked = to
			return p.mergeDir(into, from, t, g, hops)
		}
	}
	if ok && was.Kind() == tree.KindDirectory {
		sub, _, err := at.dir.Dir(p.ctx, name)
		if err != nil {
			return err
		}
		return p.mergeDir(spot{sub, to}, from, t, g, hops)
	}
	gone := int64(0)
	if ok { // no directory: that would be merged
		p.overwrite(to)
		gone = 1
	}
	for rest, l := range g.outside() {
		if err := p.landBelow(l, t, rest, to); err != nil {
			return err
		}
	}
	p.note(Placement{Action: Graft, From: from, To: to, Entry: t, Hops: hops, Replaced: was, Gone: gone})
	at.dir.Put(name, t)
	return nil
}

// throughLink gives the directory that a symlink of the destination leads to;
// ok is false when it leads to none.
func (p *planner) throughLink(at string) (s spot, hops []tree.Hop, ok bool, err error) {
	r, err := p.draft.Resolve(p.ctx, at, tree.FollowAll)
	switch {
	case errors.Is(err, tree.ErrLoop), tree.IsNotExist(err), errors.Is(err, tree.ErrName):
		return spot{}, nil, false, nil
	case err != nil:
		return spot{}, nil, false, err
	case !isDirectory(r.Entry):
		return spot{}, nil, false, nil
	}
	s, err = p.makeDirs(r.Path, nil)
	return s, r.Hops, err == nil, err
}

// mergeDir merges a directory below the root of the copy into one that is there.
func (p *planner) mergeDir(at spot, from string, t tree.Tree, g groups, hops []tree.Hop) error {
	a := t.Attr()
	p.note(Placement{Action: MergeInto, From: from, To: at.path, Entry: t, Attr: &a, Hops: hops})
	at.dir.SetAttr(a)
	return p.merge(at, from, t, g)
}

// merge copies what t holds into at.
func (p *planner) merge(at spot, from string, t tree.Tree, g groups) error {
	links, err := g.open(p.ctx, t)
	if err != nil {
		return err
	}
	p.into = append(p.into, at.path)
	defer func() { p.into = p.into[:len(p.into)-1] }()
	done, err := p.mergeWide(at, from, t, links)
	if done || err != nil {
		return err
	}
	for c, err := range t.All(p.ctx) {
		if err == nil {
			err = p.ctx.Err()
		}
		if err != nil {
			return err
		}
		if err := p.mergeChild(at, from, c, links); err != nil {
			return err
		}
	}
	return nil
}

func (p *planner) mergeChild(at spot, from string, c tree.Child, links tree.LinkView) error {
	sub, isTree := c.Entry.(tree.Tree)
	if !isTree {
		return p.place(at, c.Name, path.Join(from, c.Name), c.Entry, links.Of(c.Name), nil)
	}
	return p.placeTree(at, c.Name, path.Join(from, c.Name), sub, groups{above: links, name: c.Name}, nil)
}

func (p *planner) overwrite(to string) {
	if p.o.Existing == ExistingForbid {
		p.overwritten = append(p.overwritten, to)
	}
}
