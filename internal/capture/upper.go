package capture

import (
	"context"

	"github.com/inlaybuild/inlay/tree"
)

// Upper captures the upper directory of an overlay mount as the change set that
// makes, of base, what the mount showed.
func Upper(ctx context.Context, base tree.Tree, upper string, sink Adopter, o UpperOptions) (tree.ChangeSet, Stats, error) {
	panic("not yet")
}
