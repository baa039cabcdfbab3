//go:build linux

package checkout

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/inlaybuild/inlay/internal/mount"
	"golang.org/x/sys/unix"
)

// Sweep takes away the roots of processes that died: what they left mounted in
// this mount namespace, and their directories. It gives the count of them. It
// touches nothing that a living process uses. Call it before entries of roots/
// are removed by others, because a mount may be in one.
func Sweep(ctx context.Context, rootsDir string) (int, error) {
	list, err := os.ReadDir(rootsDir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	n := 0
	for _, e := range list {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		if !strings.HasPrefix(e.Name(), runPrefix) {
			continue
		}
		c, err := tryClaim(filepath.Join(rootsDir, e.Name()), unix.LOCK_EX)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errTaken) {
			continue
		}
		if err != nil {
			return n, err
		}
		err = sweepRun(c)
		if err := errors.Join(err, c.release()); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// sweepRun removes one entry, which is claimed.
func sweepRun(c *claim) error {
	point := filepath.Join(c.dir, rootName)
	for {
		mounted, err := mount.IsMounted(point)
		if errors.Is(err, fs.ErrNotExist) {
			break
		}
		if err != nil {
			return err
		}
		if !mounted {
			break
		}
		if err := mount.Detach(point); err != nil {
			return err
		}
	}
	return removeAll(c.dir)
}
