//go:build linux

package checkout

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// claim is a locked entry of roots/.
type claim struct {
	dir string
	f   *os.File
}

func (c *claim) release() error {
	if c == nil {
		return nil
	}
	return c.f.Close()
}

// share lets others claim the entry too.
func (c *claim) share() error {
	return os.NewSyscallError("flock", unix.Flock(int(c.f.Fd()), unix.LOCK_SH|unix.LOCK_NB))
}

var errTaken = errors.New("claimed by another process")

// tryClaim locks an entry that exists: fs.ErrNotExist when it does not, or is
// being removed; errTaken when another has it.
func tryClaim(dir string, how int) (*claim, error) {
	f, err := os.OpenFile(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB); err != nil {
		f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s: %w", dir, errTaken)
		}
		return nil, &os.PathError{Op: "flock", Path: dir, Err: err}
	}
	var held, named unix.Stat_t
	if unix.Fstat(int(f.Fd()), &held) != nil || unix.Lstat(dir, &named) != nil || held.Ino != named.Ino || held.Dev != named.Dev {
		f.Close()
		return nil, &os.PathError{Op: "claim", Path: dir, Err: fs.ErrNotExist}
	}
	return &claim{dir, f}, nil
}

// claimEntry makes an entry if there is none and locks it, waiting for others.
func claimEntry(ctx context.Context, dir string, how int) (*claim, error) {
	for pause := 100 * time.Microsecond; ; pause = min(2*pause, 20*time.Millisecond) {
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, err
		}
		c, err := tryClaim(dir, how)
		if err == nil {
			return c, nil
		}
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errTaken) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause):
		}
	}
}

// runPrefix starts the names of entries that are one root of one process.
const runPrefix = "run-"

// newRun makes an entry of a name that is new, and locks it.
func newRun(rootsDir string) (*claim, error) {
	for {
		random := make([]byte, 8)
		if _, err := rand.Read(random); err != nil {
			return nil, err
		}
		dir := filepath.Join(rootsDir, runPrefix+hex.EncodeToString(random))
		if err := os.Mkdir(dir, 0o700); err != nil {
			return nil, err
		}
		c, err := tryClaim(dir, unix.LOCK_EX)
		if err == nil {
			return c, nil
		}
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errTaken) {
			return nil, errors.Join(err, os.Remove(dir))
		}
		// A sweep took it for abandoned, in between.
	}
}
