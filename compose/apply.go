package compose

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/inlaybuild/inlay/tree"
)

// Apply gives t changed by a change set, as unpacking the layer that it stands
// for would. The error of a hardlink to a path that does not exist is
// fs.ErrNotExist. It costs the size of the change set.
func Apply(ctx context.Context, t tree.Tree, c tree.ChangeSet) (tree.Tree, error) {
	if c.Root == nil {
		return t, nil
	}
	a := &applier{ctx: ctx, draft: tree.NewDraft(t)}
	if err := a.dir(spot{a.draft, "/"}, c.Root); err != nil {
		return tree.Tree{}, err
	}
	// A hardlink may be to a name that another change puts: after all of them.
	for _, h := range a.hardlinks {
		if err := a.hardlink(h); err != nil {
			return tree.Tree{}, err
		}
	}
	for _, g := range c.Links {
		a.draft.Link(g...)
	}
	return a.draft.Tree(ctx)
}

type applier struct {
	ctx       context.Context // of the one call of Apply that made it
	draft     *tree.Draft
	hardlinks []pendingLink
}

type pendingLink struct {
	at   spot
	name string
	to   string
}

func (a *applier) dir(at spot, c *tree.DirChange) error {
	if c.Opaque {
		if err := at.dir.Clear(a.ctx); err != nil {
			return err
		}
	}
	if c.Attr != nil {
		at.dir.SetAttr(*c.Attr)
	}
	for name, ch := range c.All() {
		if err := a.ctx.Err(); err != nil {
			return err
		}
		if err := tree.CheckName(name); err != nil {
			return &fs.PathError{Op: "apply", Path: at.child(name), Err: err}
		}
		if err := a.change(at, name, ch); err != nil {
			return err
		}
	}
	return nil
}

func (a *applier) change(at spot, name string, ch tree.Change) error {
	switch ch := ch.(type) {
	case tree.Remove:
		at.dir.Remove(name)
	case tree.Hardlink:
		a.hardlinks = append(a.hardlinks, pendingLink{at, name, ch.To})
	case tree.Put:
		t, isTree := ch.Entry.(tree.Tree)
		if !isTree {
			at.dir.Put(name, ch.Entry)
			return nil
		}
		sub, ok, err := at.dir.Dir(a.ctx, name)
		if err != nil {
			return err
		}
		if !ok {
			at.dir.Put(name, t)
			return nil
		}
		return layOver(a.ctx, sub, t, enough)
	case *tree.DirChange:
		sub, ok, err := at.dir.Dir(a.ctx, name)
		if err != nil {
			return err
		}
		if !ok {
			sub = at.dir.MakeDir(name, tree.Empty().Attr())
		}
		return a.dir(spot{sub, at.child(name)}, ch)
	}
	return nil
}

func (a *applier) hardlink(h pendingLink) error {
	at := h.at.child(h.name)
	r, err := a.draft.Resolve(a.ctx, h.to, tree.FollowNone)
	switch {
	case err != nil:
		return fmt.Errorf("hardlink %s to %s: %w", at, h.to, err)
	case r.Entry == nil:
		return fmt.Errorf("hardlink %s to %s: %w", at, h.to, fs.ErrNotExist)
	case r.Entry.Kind() == tree.KindDirectory:
		return fmt.Errorf("hardlink %s to %s: %w", at, h.to, errLinkDirectory)
	case path.Clean(h.to) == at:
		return nil
	}
	h.at.dir.Put(h.name, r.Entry)
	a.draft.Link(at, h.to)
	return nil
}

var errLinkDirectory = errors.New("a directory cannot have two names")
