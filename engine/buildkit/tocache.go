package buildkit

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/moby/buildkit/client"
	"github.com/moby/buildkit/client/llb"
	"golang.org/x/sync/errgroup"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/internal/daemon"
	"github.com/inlaybuild/inlay/tree"
)

// A cache of a daemon is made of layers, which do not hold all that a tree can have
// (lostInLayers). Who finds there what a process left, or a tree that one has seen,
// would get another one. So what layers would lose is not written to a cache, nor what
// follows from it: others make it again.

// came is what a process came to.
type came struct {
	call string
	left *held
	said *held           // what the shim wrote
	saw  []engine.Result // what it began with, and what was mounted

	inexact string // why layers of what it began with are not exact, but for a cache
}

// made notes what a process came to.
func (r *Remote) made(c came) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.ContainsFunc(r.came, func(b came) bool { return b.left == c.left && b.said == c.said }) {
		r.came = append(r.came, c)
	}
}

// ExportCache has a daemon write all that processes have made to the caches that
// were asked for, and how they ended. A cache has what one result follows from: so that
// of all of them is the result of laying them over one another.
func (r *Remote) ExportCache(ctx context.Context) error {
	to := r.caches(func(kind string) bool { return kind != "inline" })
	if len(to) == 0 {
		return nil
	}
	lossy, why, err := r.lossy(ctx, func(what string) {
		r.local.Tell(engine.CacheTold{Cache: joined(r.options.CacheTo), Text: what})
	})
	if err != nil {
		return fmt.Errorf("write the cache: %w", err)
	}
	r.mu.Lock()
	all := slices.DeleteFunc(slices.Clone(r.came), func(c came) bool { return lossy[c.left] })
	r.mu.Unlock()
	if len(all) > 0 {
		err = r.exportAll(ctx, all, to)
	}
	if err != nil {
		return fmt.Errorf("write the cache: %w", err)
	}
	if why != "" {
		r.local.Tell(engine.CacheTold{Cache: joined(r.options.CacheTo), Warning: true, Text: "it does not get " + why})
	}
	return nil
}

// exportAll has a daemon write what processes came to.
func (r *Remote) exportAll(ctx context.Context, all []came, to []client.CacheOptionsEntry) error {
	var tips []*held // of what a process began with, nothing more is needed
	for _, c := range all {
		tips = append(tips, c.left)
		for _, h := range heldBy(c.saw[0]) {
			tips = slices.DeleteFunc(tips, func(t *held) bool { return t == h })
		}
	}
	var states []llb.State
	for _, h := range tips {
		states = append(states, h.state)
	}
	for _, c := range all {
		states = append(states, c.said.state)
	}
	s := llb.Merge(states, llb.WithCustomName("inlay: all that was made"))
	return r.on(ctx, func(d *daemon.Daemon) error {
		if err := endsAgain(ctx, d, tips...); err != nil {
			return d.Lost(err)
		}
		def, err := d.Define(ctx, s)
		if err != nil {
			return err
		}
		_, err = d.Export(ctx, def, nil, to, nil)
		return err
	})
}

// lossy gives what a cache would have otherwise than it is, or something that it
// follows from, and says what that is; "" if there is nothing. Each tree is read once,
// which is told.
func (r *Remote) lossy(ctx context.Context, tell func(string)) (all map[*held]bool, why string, err error) {
	r.mu.Lock()
	came := slices.Clone(r.came)
	r.mu.Unlock()
	if err := readAll(ctx, came, tell); err != nil {
		return nil, "", err
	}
	all = map[*held]bool{}
	for _, c := range came { // what others follow from is before them
		if follows(c.saw, all) {
			all[c.left] = true
			continue
		}
		lost, err := c.lost(ctx)
		if err != nil {
			return nil, "", err
		}
		if lost == "" {
			continue
		}
		all[c.left] = true
		if why == "" {
			why = fmt.Sprintf("the result of %s, nor what follows from that, as its layers would lose something: %s", c.call, lost)
		}
	}
	return all, why, nil
}

// readAll reads what processes left, several at a time, and tells of it if there is
// something to read.
func readAll(ctx context.Context, all []came, tell func(string)) error {
	all = slices.DeleteFunc(slices.Clone(all), func(c came) bool { return c.left.isRead() })
	if len(all) == 0 {
		return nil
	}
	const several = 4
	what := "a process"
	if len(all) > 1 {
		what = fmt.Sprintf("%d processes", len(all))
	}
	tell("reading what " + what + " left, for what layers would lose")
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(several)
	for _, c := range all {
		g.Go(func() error {
			_, err := c.left.raw(ctx)
			return err
		})
	}
	return g.Wait()
}

// follows tells whether some of the results were made of what is held.
func follows(results []engine.Result, from map[*held]bool) bool {
	return slices.ContainsFunc(results, func(r engine.Result) bool {
		return slices.ContainsFunc(r.Parts, func(h *engine.Held) bool { return from[h.By.(*held)] })
	})
}

// lost tells what layers would lose of what a process left, and of what it has seen.
func (c came) lost(ctx context.Context) (string, error) {
	after, raw, err := c.left.read(ctx)
	if err != nil {
		return "", err
	}
	var before tree.Tree
	for i, res := range c.saw {
		_, isView := res.Tree.StandIn()
		if isView && i > 0 {
			continue // it is as a process left it, or a registry has it
		}
		if isView {
			if before, err = res.Held.By.(*held).raw(ctx); err != nil {
				return "", err
			}
			after = raw
			continue
		}
		if res.Whole != nil {
			if res, err = res.Whole(ctx); err != nil {
				return "", err
			}
		}
		if i == 0 {
			before = res.Tree
		}
		if lost, err := lostInLayers(ctx, res.Tree); err != nil || lost != "" {
			return lost, err
		}
	}
	if lost, err := c.left.lostInLayers(ctx); err != nil || lost != "" {
		return lost, err
	}
	return lostBetween(ctx, before, after, raw, c.left.clocked())
}

// lostOnTheWay tells what the layers of an image that a daemon writes would lose that is
// not to be seen in the result itself: each is what one step changed.
func (r *Remote) lostOnTheWay(ctx context.Context, res engine.Result, tell func(string)) (string, error) {
	l, err := r.lowered(ctx, res)
	if err != nil || l.inexact != "" {
		return l.inexact, err
	}
	r.mu.Lock()
	all := slices.Clone(r.came)
	r.mu.Unlock()
	of := map[*held]bool{}
	for _, h := range res.Parts {
		of[h.By.(*held)] = true
	}
	var on []came
	for _, c := range slices.Backward(all) { // what others follow from is before them
		if !of[c.left] {
			continue
		}
		on = append(on, c)
		for _, h := range c.saw[0].Parts {
			of[h.By.(*held)] = true
		}
	}
	if err := readAll(ctx, on, tell); err != nil {
		return "", err
	}
	for _, c := range on {
		if c.inexact != "" {
			return "before " + c.call + ": " + c.inexact, nil
		}
		if lost, err := c.lost(ctx); err != nil || lost != "" {
			return lost, err
		}
	}
	return "", nil
}

// lostBetween tells what layers do not have of a change that a process made. BuildKit's
// differ takes a file or a symlink for the one that it was by size and time, if that has
// parts of seconds, and knows no links to files of lower layers. A time of which a process
// took the parts of seconds is not told from one of which a layer did, which is why it is
// not written; what has been through layers has been judged by who wrote them. The times
// that the daemon has of what is there after are those of raw.
func lostBetween(ctx context.Context, before, after, raw tree.Tree, of clock) (string, error) {
	c, err := compose.Diff(ctx, before, after)
	if err != nil || c.Root == nil {
		return "", err
	}
	for _, group := range c.Links {
		for _, p := range group {
			if e, err := before.Lookup(ctx, p); err == nil {
				return fmt.Sprintf("%s are names of one file, of which there was %s (a %s)", strings.Join(group, " and "), p, e.Kind()), nil
			} else if !tree.IsNotExist(err) {
				return "", err
			}
		}
	}
	return lostIn(ctx, "/", c.Root, before, raw, of)
}

func lostIn(ctx context.Context, p string, d *tree.DirChange, before, raw tree.Tree, of clock) (string, error) {
	for name, change := range d.All() {
		at := path.Join(p, name)
		was, _, err := before.Get(ctx, name)
		if err != nil {
			return "", err
		}
		is, there, err := raw.Get(ctx, name)
		if err != nil {
			return "", err
		}
		if was != nil && there && is.Kind() == was.Kind() {
			old := was.Attr().ModTime
			if new := is.Attr().ModTime; !of.layered && old.Nsec != 0 && !of.has(old) && new.Nsec == 0 && old.Sec == new.Sec && timeOfChange(change, old) == new {
				return at + " has the time that it had but for parts of a second", nil
			}
			if sameSize(was, is) && mayBe(old, is.Attr().ModTime) {
				return at + " has other contents, and the size and the time that it had", nil
			}
		}
		switch change := change.(type) {
		case tree.Hardlink:
			return at + " is a new name of " + change.To, nil
		case *tree.DirChange:
			sub, ok := was.(tree.Tree)
			if !ok {
				sub = tree.Empty()
			}
			rawSub, ok := is.(tree.Tree)
			if !ok {
				rawSub = tree.Empty()
			}
			if lost, err := lostIn(ctx, at, change, sub, rawSub, of); err != nil || lost != "" {
				return lost, err
			}
		}
	}
	return "", nil
}

// timeOfChange gives the time that a change gives something that had an old one.
func timeOfChange(c tree.Change, old tree.Time) tree.Time {
	switch c := c.(type) {
	case tree.Put:
		return c.Entry.Attr().ModTime
	case *tree.DirChange:
		if c.Attr != nil {
			return c.Attr.ModTime
		}
	}
	return old
}

// sameSize tells whether two files or symlinks differ in what they hold, and not in its size.
func sameSize(a, b tree.Entry) bool {
	switch a := a.(type) {
	case tree.File:
		b, ok := b.(tree.File)
		return ok && a.Size == b.Size && a.Content != b.Content
	case tree.Symlink:
		b, ok := b.(tree.Symlink)
		return ok && len(a.Target) == len(b.Target) && a.Target != b.Target
	}
	return false
}

// mayBe tells whether a daemon may have the same time of two, with parts of seconds: that
// from before may have lost them here.
func mayBe(before, after tree.Time) bool {
	return after.Nsec != 0 && (before == after || before.Nsec == 0 && before.Sec == after.Sec)
}

// caches gives the caches of some kinds that results go to.
func (r *Remote) caches(of func(kind string) bool) []client.CacheOptionsEntry {
	return slices.DeleteFunc(slices.Clone(r.to), func(c client.CacheOptionsEntry) bool { return !of(c.Type) })
}

// inlineFor gives the caches that a result is to have in its own image.
func (r *Remote) inlineFor(ctx context.Context, res engine.Result) ([]client.CacheOptionsEntry, error) {
	to := r.caches(func(kind string) bool { return kind == "inline" })
	if len(to) == 0 {
		return nil, nil
	}
	lossy, why, err := r.lossy(ctx, func(string) {}) // a push has told
	if err != nil {
		return nil, err
	}
	if follows([]engine.Result{res}, lossy) {
		r.local.Tell(engine.CacheTold{Cache: "inline", Warning: true, Text: "the image is no cache: it would not have " + why})
		return nil, nil
	}
	return to, nil
}
