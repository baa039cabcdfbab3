package inlay

import (
	"context"

	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/tree"
)

// ChangeSet is the difference between two directories: what was added or
// changed, and what was removed. The zero ChangeSet changes nothing.
type ChangeSet struct {
	node *graph.Node
}

// Node gives the node that the change set stands for.
func (s ChangeSet) Node() *graph.Node {
	if s.node == nil {
		return Scratch().Diff(Scratch()).node
	}
	return s.node
}

// Changes gives the change set itself.
func (s ChangeSet) Changes(ctx context.Context, c *Client) (tree.ChangeSet, error) {
	r, err := c.Resolve(ctx, s.Node())
	if err != nil || r.Changes == nil {
		return tree.ChangeSet{}, err
	}
	return *r.Changes, nil
}
