package compose

import (
	"context"

	"github.com/inlaybuild/inlay/tree"
)

// CopyWide is [CopySeveral] without patterns and with another threshold for
// looking at the destination's names instead of the source's.
func CopyWide(ctx context.Context, dst tree.Tree, to string, src tree.Tree, from []string, o Options, wide int64) (Result, error) {
	return copySeveral(ctx, dst, to, src, from, o, wide)
}

// MergeWide is [Merge] of two trees with that threshold.
func MergeWide(ctx context.Context, a, b tree.Tree, wide int64) (tree.Tree, error) {
	d := tree.NewDraft(a)
	if _, err := layOver(ctx, d, b, wide, journal{}); err != nil {
		return tree.Tree{}, err
	}
	return d.Tree(ctx)
}
