package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// tryFlock takes a kernel lock on the open file f, which ends when f is closed
// or the process dies. It does not wait: ok tells whether the lock was free.
func tryFlock(f *os.File, how int) (ok bool, err error) {
	for {
		err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
		switch {
		case err == nil:
			return true, nil
		case errors.Is(err, unix.EWOULDBLOCK):
			return false, nil
		case !errors.Is(err, unix.EINTR):
			return false, &os.PathError{Op: "flock", Path: f.Name(), Err: err}
		}
	}
}

// longestPause is how long who waits for a lock may sleep before the next look.
const longestPause = 2 * time.Millisecond

// flock is tryFlock that waits, at most as long as said.
func flock(ctx context.Context, f *os.File, how int, wait time.Duration) error {
	pause := 20 * time.Microsecond
	for start := time.Now(); ; {
		if ok, err := tryFlock(f, how); ok || err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if time.Since(start) > wait {
			return fmt.Errorf("%s: %w: another process has held its lock for %v", f.Name(), ErrBusy, wait)
		}
		time.Sleep(pause)
		pause = min(2*pause, longestPause)
	}
}

func unlock(f *os.File) error {
	return unix.Flock(int(f.Fd()), unix.LOCK_UN)
}

// lockFile makes the file at path and locks it; closing it unlocks.
func lockFile(ctx context.Context, path string, wait time.Duration) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDONLY, 0o600)
	if err != nil {
		return nil, err
	}
	if err := flock(ctx, f, unix.LOCK_EX, wait); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// linked tells whether path still names the open file f: a collector may have
// removed it between open and lock.
func linked(f *os.File, path string) (bool, error) {
	a, err := f.Stat()
	if err != nil {
		return false, err
	}
	b, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(a, b), err
}

// newDir makes a directory, for makeOwned.
func newDir(path string) (*os.File, error) {
	if err := os.Mkdir(path, 0o700); err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) { // reclaimed before it was locked
		err = os.ErrExist
	}
	return f, err
}

// newFile makes a file, for makeOwned.
func newFile(path string) (*os.File, error) {
	return os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
}

// makeOwned makes a file or a directory of a name that is new and holds its lock. It is
// given up when the file is closed or the process dies. An error of create that says that
// there is something of that name is followed by another attempt.
func makeOwned(path func() string, create func(path string) (*os.File, error)) (*os.File, string, error) {
	pause := 20 * time.Microsecond
	for range 100 {
		p := path()
		f, err := create(p)
		if err == nil {
			var ok bool
			if ok, err = tryFlock(f, unix.LOCK_EX); ok && err == nil {
				if ok, err = linked(f, p); ok && err == nil {
					return f, p, nil
				}
			}
			err = errors.Join(err, f.Close())
		}
		if err != nil && !errors.Is(err, os.ErrExist) {
			return nil, "", err
		}
		// It is another one's, or is about to be removed, or was.
		time.Sleep(pause)
		pause = min(2*pause, longestPause)
	}
	return nil, "", fmt.Errorf("no new name after 100 attempts: %w", ErrBusy)
}

// newName gives a name of n characters that is most likely new: whoever makes the file
// finds out. It is no secret, and does without crypto/rand, of which the first byte takes
// 0.2 milliseconds.
func newName(n int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
	b := make([]byte, n)
	for i := range b {
		b[i] = letters[rand.IntN(len(letters))]
	}
	return string(b)
}
