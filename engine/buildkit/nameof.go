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
	all map[tree.Time]bool
}

func (t *told) add(at tree.Time) {
	if at.Nsec == 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all == nil {
		t.all = map[tree.Time]bool{}
	}
	t.all[at] = true
}

// second gives a time in whole seconds, if it is one of these.
func (t *told) second(a tree.Attr) tree.Attr {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all[a.ModTime] {
		a.ModTime.Nsec = 0
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
	return r.told.second(a)
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
			a = r.told.second(e.Attr())
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
