package embedded

import (
	"context"
	"errors"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/inlaybuild/inlay/tree"
)

// keepTrees makes sure that the store has trees, by one commit. A tree that is
// there costs a look for its root. The commit is loose. It gives for each tree how many bytes of nodes
// it brought that neither the store nor a tree before it had; -1 for one that is not
// kept, because parts of it are in a cache of others, and nobody looked at them.
func (e *Engine) keepTrees(ctx context.Context, trees []tree.Tree) (wrote []int64, err error) {
	wrote = make([]int64, len(trees))
	first := map[digest.Digest]int{}
	var ds []digest.Digest
	for i, t := range trees {
		d := t.Digest()
		if _, ok := first[d]; !ok {
			first[d] = i
			ds = append(ds, d)
		}
	}
	missing, err := e.store.MissingNodes(ctx, ds)
	if err != nil || len(missing) == 0 {
		return wrote, err
	}
	sv, err := e.save(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, sv.ingest.Abort()) }()
	type origin struct {
		of   int
		size int64
	}
	nodes := map[digest.Digest]origin{}
	for _, d := range missing {
		if here, err := e.here(ctx, trees[first[d]]); err != nil {
			return nil, err
		} else if !here {
			for i, t := range trees {
				if t.Digest() == d {
					wrote[i] = -1
				}
			}
			continue
		}
		sv.queued = func(node digest.Digest, size int) {
			if _, ok := nodes[node]; !ok {
				nodes[node] = origin{first[d], int64(size)}
			}
		}
		if _, err := sv.add(ctx, trees[first[d]]); err != nil {
			return nil, err
		}
	}
	if err := sv.commit(ctx, store.Changes{Loose: true}); err != nil {
		return nil, err
	}
	for _, d := range sv.ingest.Fresh() {
		wrote[nodes[d].of] += nodes[d].size
	}
	return wrote, nil
}
