package embedded

import (
	"context"
	"errors"
	"slices"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/inlaybuild/inlay/tree"
)

// keepTrees makes sure that a run has trees, by one loose commit of changes of the run:
// what is not known to be in the store becomes the run's own, if that is little, and
// otherwise the store's, as far as it is not there. A tree that is held costs nothing.
// Before it commits it tells changes how many bytes of nodes each tree brings, that a tree
// before it does not; -1 for one that is not kept, because parts of it are in a cache of
// others, and nobody looked at them.
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
	var bring []digest.Digest
	var partly []digest.Digest
	for _, d := range e.store.Unheld(ds) {
		here, err := e.here(ctx, trees[first[d]])
		if err != nil {
			return err
		}
		if here {
			bring = append(bring, d)
		} else {
			partly = append(partly, d)
		}
	}
	lost, err := e.store.MissingNodes(ctx, partly)
	if err != nil {
		return err
	}
	for i, t := range trees {
		if slices.Contains(lost, t.Digest()) {
			brings[i] = -1
		}
	}
	// Whether the store has what is little is not asked: that takes longer than to write it.
	left := run.Room()
	own, err := e.nodesOf(ctx, trees, first, bring, func(n store.Node) (bool, error) {
		if run.HasNode(n.Digest) {
			return false, nil
		}
		if left -= len(n.Data); left < 0 {
			return false, errMuch
		}
		return true, nil
	}, run.home, e.source)
	if errors.Is(err, errMuch) {
		if bring, err = e.store.MissingNodes(ctx, bring); err != nil {
			return err
		}
		own, err = e.nodesOf(ctx, trees, first, bring, func(n store.Node) (bool, error) { return !run.HasNode(n.Digest), nil }, run.home, e.source)
		if err == nil {
			own.nodes, err = e.lackingNodes(ctx, own.nodes)
		}
	}
	if err != nil {
		return err
	}
	if own.size() <= run.Room() {
		own.count(brings)
		to := e.store.Commit
		if len(own.nodes) > 0 {
			to = func(ctx context.Context, ch store.Changes) error { return e.commitArrived(ctx, e.store.Commit, ch) }
		}
		if err := commit(to, own.nodes); err != nil {
			return err
		}
		for _, t := range own.saved {
			t.Done()
		}
		return nil
	}
	// The store has whole trees, and none of the run's own nodes.
	all, err := e.nodesOf(ctx, trees, first, bring, func(store.Node) (bool, error) { return true, nil }, e.source)
	if err != nil {
		return err
	}
	if all.nodes, err = e.lackingNodes(ctx, all.nodes); err != nil {
		return err
	}
	all.count(brings)
	sv, err := e.save(ctx)
	if err != nil {
		return err
	}
	defer sv.ingest.Abort()
	sv.saved = all.saved
	if err := sv.ingest.Nodes(all.nodes...); err != nil {
		return err
	}
	return commit(sv.commit, nil)
}

// ownRun is a run that has nodes of trees by itself.
type ownRun struct {
	*store.Run
	home *ownHome
}

// ownHome is where a run's own nodes are, for a [tree.Saver]: so they are not encoded
// again. It is each run's own, as what one run has another one lacks.
type ownHome struct{ *withRuns }

// treeNodes are the nodes of some trees.
type treeNodes struct {
	nodes []store.Node
	of    map[digest.Digest]int // the first tree that has a node
	saved []*tree.Saved
}

// errMuch ends the search for nodes of which a run cannot have so many by itself.
var errMuch = errors.New("too much for a run")

// nodesOf gives the nodes of those trees that are to be brought, without those in homes:
// the ones that are taken.
func (e *Engine) nodesOf(ctx context.Context, trees []tree.Tree, at map[digest.Digest]int, bring []digest.Digest, take func(store.Node) (bool, error), home tree.Source, others ...tree.Source) (*treeNodes, error) {
	out := &treeNodes{of: map[digest.Digest]int{}}
	s := tree.NewSaver(home, others...)
	for _, d := range bring {
		saved, err := s.Save(ctx, trees[at[d]], func(node digest.Digest, data []byte) error {
			if _, ok := out.of[node]; ok {
				return nil
			}
			n := store.Node{Digest: node, Data: data}
			ok, err := take(n)
			if ok {
				out.of[node] = at[d]
				out.nodes = append(out.nodes, n)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
		out.saved = append(out.saved, saved)
	}
	return out, nil
}

// size is how many bytes the nodes have.
func (t *treeNodes) size() (sum int) {
	for _, n := range t.nodes {
		sum += len(n.Data)
	}
	return sum
}

// count adds up what trees bring.
func (t *treeNodes) count(brings []int64) {
	for _, n := range t.nodes {
		brings[t.of[n.Digest]] += int64(len(n.Data))
	}
}

// lackingNodes gives those of some nodes that the store does not have.
func (e *Engine) lackingNodes(ctx context.Context, nodes []store.Node) ([]store.Node, error) {
	ds := make([]digest.Digest, len(nodes))
	for i, n := range nodes {
		ds[i] = n.Digest
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
