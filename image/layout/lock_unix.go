//go:build unix

package layout

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// lock waits until this process alone may change the layout. The lock is on the
// directory itself, so it leaves no file, and ends with its holder.
func (l *Layout) lock() (unlock func(), err error) {
	d, err := l.root.Open(".")
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(d.Fd()), unix.LOCK_EX)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		d.Close()
		return nil, fmt.Errorf("lock: %w", err)
	}
	return func() { d.Close() }, nil
}

func flushDir(d *os.File) error { return d.Sync() }
