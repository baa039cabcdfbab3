package buildkit

import (
	"context"
	"fmt"
	"sync"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/tree"
)

// told is the times of what processes left, as daemons told them. Where a cache has brought
// what one holds they are told in whole seconds: layers that a daemon writes have no others.
type told struct {
	mu  sync.Mutex
	all map[toldTime]bool
}

// toldTime is a time that something has which is held.
type toldTime struct {
	held *held
	kind tree.Kind
	time tree.Time
}

func (t *told) add(at toldTime) {
	if at.time.Nsec == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all == nil {
		t.all = map[toldTime]bool{}
	}
	t.all[at] = true
}

func (t *told) has(at toldTime) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.all[at]
}

// second gives the attributes of an entry with a time in whole seconds, if it is what a
// process left among what its tree was composed of.
func (r *Remote) second(parts []*engine.Held, e tree.Entry) tree.Attr {
	a := e.Attr()
	if a.ModTime.Nsec == 0 {
		return a
	}
	of := parts
	if f, ok := e.(tree.File); ok && f.Size > 0 {
		at, ok := r.places.among(parts, f.Content)
		if !ok {
			return a
		}
		of = []*engine.Held{{By: at.held}}
	}
	for _, p := range of {
		if r.told.has(toldTime{p.By.(*held), e.Kind(), a.ModTime}) {
			a.ModTime.Nsec = 0
			break
		}
	}
	return a
}

// rootAttr gives the attributes of a root as all clients have them: exactly if it is that of
// what a process left, as the exit of that tells them.
func (r *Remote) rootAttr(res engine.Result) tree.Attr {
	a := res.Tree.Attr()
	if in, ok := res.Tree.StandIn(); ok {
		if at, ok := r.places.find(in); ok && at.path == "/" {
			return a
		}
	} else if res.Held != nil && res.Held.By.(*held).rootAttr() == a {
		return a
	}
	return r.second(res.Parts, res.Tree)
}

// nameOf names a tree, as all clients do that make it of the same: its digest, but where
// a daemon was asked what is there, as the answer depends on whether a cache brought it.
// It costs a look at each entry that was composed with what a daemon holds.
func (r *Remote) nameOf(ctx context.Context, res engine.Result) (digest.Digest, error) {
	isView := func(e tree.Entry) bool {
		t, ok := e.(tree.Tree)
		if ok {
			_, ok = t.StandIn()
		}
		return ok
	}
	if len(res.Parts) == 0 {
		return res.Tree.Digest(), nil
	}
	if isView(res.Tree) {
		return res.Tree.With(r.rootAttr(res)).Digest(), nil
	}
	of := digest.NewHasher()
	for it, err := range tree.Walk(ctx, res.Tree, tree.WalkOptions{Prune: func(it tree.Item) bool { return isView(it.Entry) }}) {
		if err != nil {
			return digest.Digest{}, err
		}
		e := it.Entry
		if _, ok := e.(tree.Tree); ok && !isView(e) {
			e = tree.Empty().With(e.Attr()) // what it holds follows
		}
		a := r.rootAttr(res)
		if it.Path != "/" {
			a = r.second(res.Parts, it.Entry)
		}
		one := tree.NewDraft(tree.Empty())
		one.Put("e", e.WithAttr(a))
		alone, err := one.Tree(ctx)
		if err != nil {
			return digest.Digest{}, err
		}
		first := ""
		if it.Link != nil {
			first = it.Link.First
		}
		fmt.Fprintf(of, "%q %s %q\n", it.Path, alone.Digest(), first)
	}
	return of.Digest(), nil
}
