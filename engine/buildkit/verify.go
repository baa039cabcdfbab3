package buildkit

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/moby/buildkit/client/llb"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/tree"
)

// Verify holds what a daemon makes of a result of which all is known against it: a
// process there reads the tree. If it is another one, it is made in the plain way,
// from now on, which is told; if that is another one, too, the error names the first
// path. A tree that no daemon keeps is not made by any, and is not looked at.
func (r *Remote) Verify(ctx context.Context, res engine.Result) (engine.Lowering, error) {
	s, how, err := r.lower(ctx, res)
	if errors.Is(err, errUnkept) {
		return engine.Lowering{How: engine.LowerNothing, Why: err.Error()}, nil
	}
	if err != nil {
		return how, err
	}
	at, err := r.differs(ctx, s, res)
	if err != nil || at == "" {
		return how, err
	}
	r.mu.Lock()
	r.wrong[res.Tree.Digest()] = fmt.Sprintf("by %s the daemon made something else of %s", how.How, at)
	r.mu.Unlock()
	if s, how, err = r.lower(ctx, res); err != nil {
		return how, err
	}
	at, err = r.differs(ctx, s, res)
	if err == nil && at != "" {
		err = fmt.Errorf("the daemon holds something else at %s than what was composed, whatever way it is made: look at its disk and its version", at)
	}
	return how, err
}

// spoiled gives what a daemon makes of a state: the same, but in tests.
func (r *Remote) spoiled(s llb.State, how engine.LoweringKind) llb.State {
	if r.spoil == nil {
		return s
	}
	return r.spoil(s, how)
}

// mistrusted tells why a tree is to be made in the plain way; "" if it is not.
func (r *Remote) mistrusted(t tree.Tree) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.wrong) == 0 {
		return ""
	}
	return r.wrong[t.Digest()]
}

// differs gives the first path at which a state has something else than a result; ""
// if there is none. Attributes of the root are no part of a state: they are given
// where it is mounted.
func (r *Remote) differs(ctx context.Context, s llb.State, res engine.Result) (string, error) {
	t := res.Tree
	h, err := r.hold(ctx, s, t.Attr())
	if err != nil {
		return "", err
	}
	h.mu.Lock()
	h.expected, h.from = t.Digest(), heldBy(res)
	h.mu.Unlock()
	got, err := h.whole(ctx)
	if err != nil {
		return "", err
	}
	got = got.With(t.Attr())
	c, err := compose.Diff(ctx, t, got)
	if err == nil && c.Root != nil {
		if got, err = clocksAside(ctx, clockAmong(res), t, got); err == nil {
			c, err = compose.Diff(ctx, t, got)
		}
	}
	if err != nil {
		return "", err
	}
	if c.Root != nil && c.Root.Len() > 0 {
		return first("/", c.Root), nil
	}
	if len(c.Links) > 0 {
		return c.Links[0][0], nil
	}
	return "", nil
}

// clocksAside gives what a daemon holds with the times that are wanted, where clocks alone
// make the difference.
func clocksAside(ctx context.Context, c clock, want, got tree.Tree) (tree.Tree, error) {
	if len(c.spans) == 0 {
		return got, nil
	}
	var failed error
	t, err := settled(ctx, got, func(p string, e tree.Entry) tree.Time {
		t := e.Attr().ModTime
		w, err := want.Lookup(ctx, p)
		switch {
		case err == nil && c.aside(w.Attr().ModTime, t):
			t = w.Attr().ModTime
		case err != nil && !tree.IsNotExist(err) && !errors.Is(err, tree.ErrNotDirectory):
			failed = err
		}
		return t
	})
	return t, errors.Join(err, failed)
}

// first gives the first path that a change is about.
func first(at string, c *tree.DirChange) string {
	var names []string
	for name := range c.All() {
		names = append(names, name)
	}
	if len(names) == 0 || c.Attr != nil {
		return at
	}
	name := slices.Min(names)
	for n, change := range c.All() {
		if sub, ok := change.(*tree.DirChange); ok && n == name {
			return first(path.Join(at, name), sub)
		}
	}
	return path.Join(at, name)
}
