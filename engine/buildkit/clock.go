package buildkit

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/internal/shim"
	"github.com/inlaybuild/inlay/tree"
)

// A layer that a daemon writes has times in whole seconds. Who finds what a process left in
// a cache sees other times there than who has run the process, would ask for something
// else because of that, and have everything that follows run again. So a time that a
// process' own clock gave has no parts of a second in a tree, whoever reads it; what is
// copied from there at the daemon may have them. Times that somebody has set stay exact.

// span is when a process ran, by the clock that gives what it writes its time.
type span struct{ from, to tree.Time }

// spanOf gives when a process ran.
func spanOf(e shim.Exit) span { return span{timeOf(e.ClockStart), timeOf(e.ClockEnd)} }

func before(a, b tree.Time) bool { return a.Sec < b.Sec || a.Sec == b.Sec && a.Nsec < b.Nsec }

// clock tells which times of a tree are of clocks: what a process left, and what processes
// before it left.
type clock struct {
	spans   []span
	layered bool          // some of it has been through a layer, which has no parts of seconds
	began   engine.Result // what the last process began with
}

// clockOf gives the clock of what a process left.
func clockOf(x engine.RemoteProcess, e shim.Exit, layered bool) clock {
	c := clockAmong(treesOf(x)...) // what is mounted may have been copied with its time
	c.spans, c.layered, c.began = append(c.spans, spanOf(e)), c.layered || layered, x.Root
	return c
}

// clockAmong gives the clocks of all that results were composed of.
func clockAmong(results ...engine.Result) (c clock) {
	for _, r := range results {
		for _, h := range r.Parts {
			of := h.By.(*held).clocked()
			c.layered = c.layered || of.layered
			for _, s := range of.spans {
				if !slices.Contains(c.spans, s) { // several of them follow from the same process
					c.spans = append(c.spans, s)
				}
			}
		}
	}
	return c
}

// has tells whether a time is of a process' clock.
func (c clock) has(t tree.Time) bool {
	for _, s := range c.spans {
		if !before(t, s.from) && !before(s.to, t) {
			return true
		}
	}
	return false
}

// time gives the time of an entry as all have it: what was put there from here, and what
// no process has changed since, has the time that it was put there with.
func (c clock) time(ctx context.Context, r *Remote, p string, e tree.Entry) tree.Time {
	t := e.Attr().ModTime
	if len(c.spans) == 0 {
		return t
	}
	if was := r.put(ctx, c.began, p); was != nil && was.Kind() == e.Kind() && c.kept(was.Attr().ModTime, t) {
		return was.Attr().ModTime
	}
	if c.has(t) {
		t.Nsec = 0
	}
	return t
}

// kept tells whether a time is the one that something was put there with, or what a layer
// has kept of that.
func (c clock) kept(put, found tree.Time) bool {
	return put == found || c.layered && found.Nsec == 0 && put.Sec == found.Sec
}

// aside tells whether a time that a daemon has is the one that a tree has: what it copied
// from what a process left has parts of seconds more, and what it has out of a cache has
// lost them.
func (c clock) aside(want, got tree.Time) bool {
	return want.Sec == got.Sec && (want.Nsec == 0 && c.has(got) || got.Nsec == 0 && c.layered)
}

// put gives what was put at a path, as far as that is known here without asking a daemon:
// processes may have changed it since. It is nil if that is not known.
func (r *Remote) put(ctx context.Context, began engine.Result, p string) tree.Entry {
	var at tree.Entry = began.Tree
	for rest := strings.Trim(p, "/"); ; {
		dir, ok := at.(tree.Tree)
		if !ok {
			return nil
		}
		if in, ok := dir.StandIn(); ok {
			from, ok := r.places.find(in)
			if !ok || rest == "" {
				return nil
			}
			c := from.held.clocked()
			if len(c.spans) == 0 {
				return nil
			}
			return r.put(ctx, c.began, path.Join(from.path, rest))
		}
		name, more, isDir := strings.Cut(rest, "/")
		e, found, err := dir.Get(ctx, name)
		if err != nil || !found {
			return nil
		}
		if !isDir {
			return e
		}
		at, rest = e, more
	}
}

// settled gives a tree with times as all have them, which time tells.
func settled(ctx context.Context, t tree.Tree, time func(p string, e tree.Entry) tree.Time) (tree.Tree, error) {
	d := tree.NewDraft(t)
	changed := false
	ofLink := map[*tree.Link]tree.Time{} // names of one inode have one
	for it, err := range tree.Walk(ctx, t, tree.WalkOptions{}) {
		if err != nil {
			return tree.Tree{}, err
		}
		a := it.Entry.Attr()
		if it.Path == "/" {
			continue
		}
		at, ok := ofLink[it.Link]
		if !ok {
			at = time(it.Path, it.Entry)
		}
		if it.Link != nil {
			ofLink[it.Link] = at
		}
		if at == a.ModTime {
			continue
		}
		changed = true
		a.ModTime = at
		in := d
		for name := range strings.SplitSeq(strings.Trim(path.Dir(it.Path), "/"), "/") {
			if name == "" {
				break
			}
			if in, _, err = in.Dir(ctx, name); err != nil {
				return tree.Tree{}, err
			}
		}
		if it.Entry.Kind() != tree.KindDirectory {
			in.Put(path.Base(it.Path), it.Entry.WithAttr(a))
		} else if sub, _, err := in.Dir(ctx, path.Base(it.Path)); err != nil {
			return tree.Tree{}, err
		} else {
			sub.SetAttr(a)
		}
	}
	if !changed {
		return t, nil
	}
	groups, err := t.Links(ctx)
	if err != nil {
		return tree.Tree{}, err
	}
	for _, g := range groups {
		d.Link(g...)
	}
	return d.Tree(ctx)
}
