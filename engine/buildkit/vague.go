package buildkit

import (
	"context"
	"errors"
	"math"
	"os"
	"path"

	fstypes "github.com/tonistiigi/fsutil/types"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/inlaybuild/inlay/internal/daemon"
	"github.com/inlaybuild/inlay/tree"
)

// A gateway does not tell all of a directory: a socket looks like an empty file, a
// time outside of the years that 64 bits of nanoseconds count wraps around, and names
// that are no UTF-8 are no answer at all. Such a directory is known by a survey of
// the tree that it is in.

// mostEmpty is how many empty files of a directory are looked at one by one.
const mostEmpty = 64

// vague tells whether a list may not be what is there.
func (l lister) vague(ctx context.Context, r daemon.Ref, list []*fstypes.Stat) (bool, error) {
	var empty []string
	for _, s := range list {
		// What no file system of 32 bits of seconds has wrapped around.
		if s.ModTime < math.MinInt32*1_000_000_000 {
			return true, nil
		}
		if os.FileMode(s.Mode).IsRegular() && s.Size == 0 {
			empty = append(empty, path.Join(l.path, s.Path))
		}
	}
	if len(empty) > mostEmpty {
		return true, nil
	}
	var g errgroup.Group
	for _, name := range empty {
		g.Go(func() error {
			_, err := r.ReadRange(ctx, name, 0, 1)
			return err
		})
	}
	err := g.Wait()
	if err != nil && status.Code(err) == codes.Unknown {
		return true, nil // it is no file, or cannot be read
	}
	return false, err
}

// isNoText tells whether an answer could not be given because it is no UTF-8.
func isNoText(err error) bool {
	var s interface{ GRPCStatus() *status.Status }
	return errors.As(err, &s) && s.GRPCStatus().Code() == codes.Internal
}

// surveyed gives what a survey found in the directory.
func (l lister) surveyed(ctx context.Context) ([]tree.Child, error) {
	t, err := l.held.whole(ctx)
	if err != nil {
		return nil, err
	}
	l.held.surveyed.Store(true)
	e, err := t.Lookup(ctx, l.path)
	if err != nil {
		return nil, err
	}
	var out []tree.Child
	for c, err := range e.(tree.Tree).All(ctx) {
		if err != nil {
			return nil, err
		}
		f, isFile := c.Entry.(tree.File)
		if _, isTree := c.Entry.(tree.Tree); !isTree && (!isFile || f.Size == 0) {
			l.held.byValue(path.Join(l.path, c.Name), c.Entry)
		}
		out = append(out, c)
	}
	return out, nil
}
