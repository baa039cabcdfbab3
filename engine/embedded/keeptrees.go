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
	k := &keeping{e: e, run: run, trees: trees, first: map[digest.Digest]int{}, brings: make([]int64, len(trees)), changes: changes}
	if err := k.choose(ctx); err != nil {
		return err
	}
	own, err := k.little(ctx)
	if errors.Is(err, errMuch) {
		own, err = k.lacking(ctx)
	}
	if err != nil {
		return err
	}
	if own.size() <= run.Room() {
		return k.withRun(ctx, own)
	}
	return k.inStore(ctx)
}

// keeping is one call of [Engine.keepTrees].
type keeping struct {
	e       *Engine
	run     *ownRun
	trees   []tree.Tree
	first   map[digest.Digest]int // the first of the trees with a digest
	bring   []digest.Digest       // trees that neither the run nor, as far as is known, the store has
	brings  []int64
	changes func(brings []int64) (store.RunChanges, error)
}

// choose finds which trees are to be brought, and which cannot be.
func (k *keeping) choose(ctx context.Context) error {
	var ds []digest.Digest
	for i, t := range k.trees {
		d := t.Digest()
		if _, ok := k.first[d]; !ok {
			k.first[d] = i
			if !k.run.HasNode(d) {
				ds = append(ds, d)
			}
		}
	}
	var partly []digest.Digest
	for _, d := range k.e.store.Unheld(ds) {
		here, err := k.e.here(ctx, k.trees[k.first[d]])
		if err != nil {
			return err
		}
		if here {
			k.bring = append(k.bring, d)
		} else {
			partly = append(partly, d)
		}
	}
	lost, err := k.e.store.MissingNodes(ctx, partly)
	if err != nil {
		return err
	}
	for i, t := range k.trees {
		if slices.Contains(lost, t.Digest()) {
			k.brings[i] = -1
		}
	}
	return nil
}

// little gives all nodes that the run would get; [errMuch] if it has no room for them.
// Whether the store has them is not asked: that takes longer than to write them.
func (k *keeping) little(ctx context.Context) (*treeNodes, error) {
	left := k.run.Room()
	return k.nodes(ctx, func(n store.Node) (bool, error) {
		if k.run.HasNode(n.Digest) {
			return false, nil
		}
		if left -= len(n.Data); left < 0 {
			return false, errMuch
		}
		return true, nil
	}, k.run.home, k.e.source)
}

// lacking gives the nodes that neither the run nor the store has.
func (k *keeping) lacking(ctx context.Context) (own *treeNodes, err error) {
	if k.bring, err = k.e.store.MissingNodes(ctx, k.bring); err != nil {
		return nil, err
	}
	own, err = k.nodes(ctx, func(n store.Node) (bool, error) { return !k.run.HasNode(n.Digest), nil }, k.run.home, k.e.source)
	if err != nil {
		return nil, err
	}
	own.nodes, err = k.e.lackingNodes(ctx, own.nodes)
	return own, err
}

// withRun commits the changes together with nodes that become the run's own.
func (k *keeping) withRun(ctx context.Context, own *treeNodes) error {
	to := k.e.store.Commit
	if len(own.nodes) > 0 {
		to = func(ctx context.Context, ch store.Changes) error { return k.e.commitArrived(ctx, k.e.store.Commit, ch) }
	}
	if err := k.commit(ctx, own, own.nodes, to); err != nil {
		return err
	}
	for _, t := range own.saved {
		t.Done()
	}
	return nil
}

// inStore commits the changes together with nodes that become the store's: it has whole
// trees, and nothing of it is left to the run's own nodes.
func (k *keeping) inStore(ctx context.Context) error {
	all, err := k.nodes(ctx, func(store.Node) (bool, error) { return true, nil }, k.e.source)
	if err != nil {
		return err
	}
	if all.nodes, err = k.e.lackingNodes(ctx, all.nodes); err != nil {
		return err
	}
	sv, err := k.e.save(ctx)
	if err != nil {
		return err
	}
	defer sv.ingest.Abort()
	sv.saved = all.saved
	if err := sv.ingest.Nodes(all.nodes...); err != nil {
		return err
	}
	return k.commit(ctx, all, nil, sv.commit)
}

// commit tells what the trees bring, and commits the changes; own are nodes that become
// the run's.
func (k *keeping) commit(ctx context.Context, brought *treeNodes, own []store.Node, to func(context.Context, store.Changes) error) error {
	brought.count(k.brings)
	ch, err := k.changes(k.brings)
	if err != nil {
		return err
	}
	ch.Run, ch.Nodes = k.run.Run, own
	return to(ctx, store.Changes{Loose: true, Run: &ch})
}

// nodes gives the nodes of the trees that are to be brought, without those in homes: the
// ones that are taken.
func (k *keeping) nodes(ctx context.Context, take func(store.Node) (bool, error), home tree.Source, others ...tree.Source) (*treeNodes, error) {
	out := &treeNodes{of: map[digest.Digest]int{}}
	s := tree.NewSaver(home, others...)
	for _, d := range k.bring {
		saved, err := s.Save(ctx, k.trees[k.first[d]], func(node digest.Digest, data []byte) error {
			if _, ok := out.of[node]; ok {
				return nil
			}
			n := store.Node{Digest: node, Data: data}
			ok, err := take(n)
			if ok {
				out.of[node] = k.first[d]
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
