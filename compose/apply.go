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
// for would, and says what landed where and what was lost. The error of a
// hardlink to a path that does not exist is fs.ErrNotExist. It costs the size of
// the change set.
func Apply(ctx context.Context, t tree.Tree, c tree.ChangeSet) (Result, error) {
	a := &applier{ctx: ctx, draft: tree.NewDraft(t)}
	t, err := a.apply(t, c)
	if err != nil {
		return Result{}, err
	}
	return a.settle(ctx, t)
}

// Patch is [Apply] for who wants the tree alone, as of a layer with 100,000
// names: it looks at nothing that it replaces, and remembers nothing of it.
func Patch(ctx context.Context, t tree.Tree, c tree.ChangeSet) (tree.Tree, error) {
	a := &applier{ctx: ctx, draft: tree.NewDraft(t), journal: journal{off: true}}
	return a.apply(t, c)
}

type applier struct {
	journal
	ctx       context.Context // of the one call of Apply that made it
	draft     *tree.Draft
	hardlinks []pendingLink
}

type pendingLink struct {
	at   spot
	name string
	to   string
}

func (a *applier) apply(t tree.Tree, c tree.ChangeSet) (tree.Tree, error) {
	if c.Root == nil {
		return t, nil
	}
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
	return a.draft.Tree(a.ctx)
}

func (a *applier) dir(at spot, c *tree.DirChange) error {
	if c.Opaque {
		gone, err := at.dir.Count(a.ctx)
		if err != nil {
			return err
		}
		if gone > 0 {
			a.note(Placement{Action: Clear, To: at.path, Entry: at.dir.Now(), Gone: gone})
		}
		if err := at.dir.Clear(a.ctx); err != nil {
			return err
		}
	}
	if c.Attr != nil {
		a.note(Placement{Action: MergeInto, From: at.path, To: at.path, Entry: tree.Empty().With(*c.Attr), Attr: c.Attr})
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
	was, gone, err := a.standing(at, name)
	if err != nil {
		return err
	}
	to := ""
	if _, isDir := ch.(*tree.DirChange); isDir || !a.off {
		to = at.child(name)
	}
	switch ch := ch.(type) {
	case tree.Remove:
		if was != nil {
			a.note(Placement{Action: Take, To: to, Replaced: was, Gone: gone})
		}
		at.dir.Remove(name)
	case tree.Hardlink:
		a.hardlinks = append(a.hardlinks, pendingLink{at, name, ch.To})
	case tree.Put:
		t, isTree := ch.Entry.(tree.Tree)
		if !isTree {
			a.note(Placement{Action: Graft, From: to, To: to, Entry: ch.Entry, Replaced: was, Gone: gone})
			at.dir.Put(name, ch.Entry)
			return nil
		}
		sub, ok, err := at.dir.Dir(a.ctx, name)
		if err != nil {
			return err
		}
		if !ok {
			a.note(Placement{Action: Graft, From: to, To: to, Entry: t, Replaced: was, Gone: gone})
			at.dir.Put(name, t)
			return nil
		}
		j, err := layOver(a.ctx, sub, t, enough, journal{off: a.off, prefix: to})
		if err == nil {
			a.add(j)
		}
		return err
	case *tree.DirChange:
		sub, ok, err := at.dir.Dir(a.ctx, name)
		if err != nil {
			return err
		}
		if !ok {
			attr := tree.Empty().Attr()
			if !a.off {
				a.note(Placement{Action: MakeDirectory, To: to, Attr: &attr, Entry: tree.Empty(), Replaced: was, Gone: gone})
			}
			sub = at.dir.MakeDir(name, attr)
		}
		return a.dir(spot{sub, to}, ch)
	}
	return nil
}

// standing gives what a name stands for, and how many entries that is; nil for
// nothing, and when nobody wants to know.
func (a *applier) standing(at spot, name string) (e tree.Entry, n int64, err error) {
	if a.off {
		return nil, 0, nil
	}
	if e, _, err = at.dir.Get(a.ctx, name); err == nil {
		n, err = a.gone(a.ctx, at.dir, name, e)
	}
	return e, n, err
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
	was, gone, err := a.standing(h.at, h.name)
	if err != nil {
		return err
	}
	a.note(Placement{Action: Graft, From: h.to, To: at, Entry: r.Entry, Replaced: was, Gone: gone})
	h.at.dir.Put(h.name, r.Entry)
	a.draft.Link(at, h.to)
	return nil
}

var errLinkDirectory = errors.New("a directory cannot have two names")
