package compose

import (
	"context"

	"github.com/inlaybuild/inlay/tree"
)

// Counts is how two trees, one before and one after, differ in numbers. An entry
// is a path below the root with what stands there itself: its kind, attributes,
// and content, target or device, but not what a directory holds, nor which
// other names its inode has. So the four numbers are those that comparing the
// full listings of both trees line by line gives.
type Counts struct {
	Added    int64 // paths that only the later tree has
	Replaced int64 // paths of both at which another entry stands; also one with other attributes alone
	Removed  int64 // paths that only the earlier tree has
	Shared   int64 // paths of both at which the same entry stands
}

// Count counts in what after differs from before. It passes by what the two
// share, so it costs what differs.
func Count(ctx context.Context, before, after tree.Tree) (Counts, error) {
	var c Counts
	if err := c.dirs(ctx, before, after); err != nil {
		return Counts{}, err
	}
	c.Shared = after.Count() - c.Added - c.Replaced
	return c, nil
}

func (c *Counts) dirs(ctx context.Context, before, after tree.Tree) error {
	for n, err := range tree.Compare(ctx, before, after) {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		switch {
		case n.New == nil:
			c.Removed += entries(n.Old)
			continue
		case n.Old == nil:
			c.Added += entries(n.New)
			continue
		}
		old, wasTree := n.Old.(tree.Tree)
		now, isTree := n.New.(tree.Tree)
		if !wasTree || !isTree {
			c.Replaced++
			c.Removed += entries(n.Old) - 1
			c.Added += entries(n.New) - 1
			continue
		}
		if old.Attr() != now.Attr() {
			c.Replaced++
		}
		if err := c.dirs(ctx, old, now); err != nil {
			return err
		}
	}
	return nil
}

// entries is how many entries something is: 1, and those below a directory; negative
// if that is not known.
func entries(e tree.Entry) int64 {
	t, ok := e.(tree.Tree)
	if !ok {
		return 1
	}
	if n := t.Count(); n >= 0 {
		return 1 + n
	}
	return -1
}
