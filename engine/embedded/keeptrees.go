package embedded

import (
	"context"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/inlaybuild/inlay/tree"
)

// keepTrees makes sure that a run has trees, by one loose commit of changes of the run:
// what the store does not have of them becomes the run's own, if that is little, and
// otherwise the store's. A tree that is there costs a look for its root. Before it
// commits it tells changes how many bytes of nodes each tree brings, that a tree before it
// does not; -1 for one that is not kept, because parts of it are in a cache of others, and
// nobody looked at them.
func (e *Engine) keepTrees(ctx context.Context, run *ownRun, trees []tree.Tree, changes func(brings []int64) (store.RunChanges, error)) error {
	brings := make([]int64, len(trees))
	commit := func(to func(context.Context, store.Changes) error, own []store.Node) error {
		ch, err := changes(brings)
		if err != nil {
			return err
		}
		ch.Run, ch.Nodes = run.Run, own
		return to(ctx, store.Changes{Loose: true, Run: &ch})
	}
	first := map[digest.Digest]int{}
	var ds []digest.Digest
	for i, t := range trees {
		d := t.Digest()
		if _, ok := first[d]; !ok {
			first[d] = i
			if !run.HasNode(d) {
				ds = append(ds, d)
			}
		}
	}
	missing, err := e.store.MissingNodes(ctx, e.store.Unheld(ds))
	if err != nil {
		return err
	}
	if len(missing) == 0 {
		return commit(e.store.Commit, nil)
	}
	var bring []int // of trees
	for _, d := range missing {
		if here, err := e.here(ctx, trees[first[d]]); err != nil {
			return err
		} else if !here {
			for i, t := range trees {
				if t.Digest() == d {
					brings[i] = -1
				}
			}
			continue
		}
		bring = append(bring, first[d])
	}
	own, err := e.nodesOf(ctx, trees, bring, run.home, e.source)
	if err != nil {
		return err
	}
	fresh, err := e.lackingNodes(ctx, own.nodes, run.HasNode)
	if err != nil {
		return err
	}
	if run.Takes(fresh) {
		own.count(fresh, brings)
		err := commit(func(ctx context.Context, ch store.Changes) error { return e.commitArrived(ctx, e.store.Commit, ch) }, fresh)
		if err != nil {
			return err
		}
		for _, t := range own.saved {
			t.Done()
		}
		return nil
	}
	// The store has whole trees, and none of the run's own nodes.
	all, err := e.nodesOf(ctx, trees, bring, e.source)
	if err != nil {
		return err
	}
	if fresh, err = e.lackingNodes(ctx, all.nodes, func(digest.Digest) bool { return false }); err != nil {
		return err
	}
	all.count(fresh, brings)
	sv, err := e.save(ctx)
	if err != nil {
		return err
	}
	defer sv.ingest.Abort()
	sv.saved = all.saved
	if err := sv.ingest.Nodes(fresh...); err != nil {
		return err
	}
	return commit(sv.commit, nil)
}

// ownRun is a run that has nodes of trees by itself.
type ownRun struct {
	*store.Run
	home *ownHome
}

// ownHome is where a run's own nodes are, for [tree.Save]: so they are not encoded again.
type ownHome struct{ *withRuns }

// treeNodes are the nodes of some trees.
type treeNodes struct {
	nodes []store.Node
	of    map[digest.Digest]int // the first tree that has a node
	saved []*tree.Saved
}

// nodesOf gives the nodes of those trees that are to be brought, without those in homes.
func (e *Engine) nodesOf(ctx context.Context, trees []tree.Tree, bring []int, home tree.Source, others ...tree.Source) (*treeNodes, error) {
	out := &treeNodes{of: map[digest.Digest]int{}}
	s := tree.NewSaver(home, others...)
	for _, i := range bring {
		saved, err := s.Save(ctx, trees[i], func(node digest.Digest, data []byte) error {
			if _, ok := out.of[node]; !ok {
				out.of[node] = i
				out.nodes = append(out.nodes, store.Node{Digest: node, Data: data})
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
		out.saved = append(out.saved, saved)
	}
	return out, nil
}

// count adds up what trees bring.
func (t *treeNodes) count(fresh []store.Node, brings []int64) {
	for _, n := range fresh {
		brings[t.of[n.Digest]] += int64(len(n.Data))
	}
}

// lackingNodes gives those of some nodes that neither the store nor somebody else has.
func (e *Engine) lackingNodes(ctx context.Context, nodes []store.Node, has func(digest.Digest) bool) ([]store.Node, error) {
	var ds []digest.Digest
	for _, n := range nodes {
		if !has(n.Digest) {
			ds = append(ds, n.Digest)
		}
	}
	missing, err := e.store.MissingNodes(ctx, ds)
	if err != nil {
		return nil, err
	}
	out := make([]store.Node, 0, len(missing))
	for _, n := range nodes {
		if len(missing) > 0 && missing[0] == n.Digest { // they are in the order of ds
			out, missing = append(out, n), missing[1:]
		}
	}
	return out, nil
}
