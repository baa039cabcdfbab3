package embedded

import (
	"context"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/inlaybuild/inlay/tree"
)

// keepTrees makes sure that the store has trees, by one loose commit with other
// changes. A tree that is there costs a look for its root. Before it commits it
// tells changes how many bytes of nodes each tree brings that neither the store nor
// a tree before it has; -1 for one that is not kept, because parts of it are in a
// cache of others, and nobody looked at them.
func (e *Engine) keepTrees(ctx context.Context, trees []tree.Tree, changes func(brings []int64) (store.Changes, error)) error {
	brings := make([]int64, len(trees))
	first := map[digest.Digest]int{}
	var ds []digest.Digest
	for i, t := range trees {
		d := t.Digest()
		if _, ok := first[d]; !ok {
			first[d] = i
			ds = append(ds, d)
		}
	}
	missing, err := e.store.MissingNodes(ctx, e.store.Unheld(ds))
	if err != nil {
		return err
	}
	if len(missing) == 0 {
		ch, err := changes(brings)
		if err != nil {
			return err
		}
		ch.Loose = true
		return e.store.Commit(ctx, ch)
	}
	sv, err := e.save(ctx)
	if err != nil {
		return err
	}
	defer sv.ingest.Abort()
	of := map[digest.Digest]int{}
	var nodes []store.Node
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
		saved, err := tree.Save(ctx, trees[first[d]], e.source, func(node digest.Digest, data []byte) error {
			if _, ok := of[node]; !ok {
				of[node] = first[d]
				nodes = append(nodes, store.Node{Digest: node, Data: data})
			}
			return nil
		})
		if err != nil {
			return err
		}
		sv.saved = append(sv.saved, saved)
	}
	if err := sv.addMissing(ctx, nodes, func(n store.Node) { brings[of[n.Digest]] += int64(len(n.Data)) }); err != nil {
		return err
	}
	ch, err := changes(brings)
	if err != nil {
		return err
	}
	ch.Loose = true
	return sv.commit(ctx, ch)
}

// addMissing queues those of some nodes that the store does not have, and tells of
// each.
func (s *saving) addMissing(ctx context.Context, nodes []store.Node, queued func(store.Node)) error {
	ds := make([]digest.Digest, len(nodes))
	for i, n := range nodes {
		ds[i] = n.Digest
	}
	missing, err := s.engine.store.MissingNodes(ctx, ds)
	if err != nil {
		return err
	}
	for _, n := range nodes {
		if len(missing) == 0 || missing[0] != n.Digest { // they are in the order of ds
			continue
		}
		missing = missing[1:]
		queued(n)
		if err := s.ingest.Nodes(n); err != nil {
			return err
		}
	}
	return nil
}
