//go:build linux

package runtime

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// prefix starts the names of all that is made for a process: its place in the
// state directory, its cgroup.
const prefix = "inlay-"

// place is the directory of one process in the state directory. A kernel lock on
// it says that its owner lives.
type place struct {
	name string
	dir  string
	lock int // descriptor of dir
}

func newPlace(state string) (*place, error) {
	state, err := filepath.Abs(state)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(state, 0o700); err != nil {
		return nil, err
	}
	for {
		random := make([]byte, 8)
		if _, err := rand.Read(random); err != nil {
			return nil, err
		}
		p := &place{name: prefix + hex.EncodeToString(random)}
		p.dir = filepath.Join(state, p.name)
		if err := os.Mkdir(p.dir, 0o700); err != nil {
			return nil, err
		}
		locked, err := p.take()
		if err != nil {
			return nil, err
		}
		if locked {
			return p, nil
		}
		// A sweep took it for abandoned, in between.
	}
}

// take locks the place, without waiting.
func (p *place) take() (bool, error) {
	fd, err := unix.Open(p.dir, dirFlags, 0)
	if os.IsNotExist(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("%s: %w", p.dir, err)
	}
	if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); err != nil {
		unix.Close(fd)
		if err == unix.EWOULDBLOCK {
			return false, nil
		}
		return false, fmt.Errorf("lock of %s: %w", p.dir, err)
	}
	// What is locked may have been removed before it was.
	var held, named unix.Stat_t
	if unix.Fstat(fd, &held) != nil || unix.Lstat(p.dir, &named) != nil || held.Ino != named.Ino || held.Dev != named.Dev {
		unix.Close(fd)
		return false, nil
	}
	p.lock = fd
	return true, nil
}

// remove takes away what is left of the process. The place must be locked.
func (p *place) remove() error {
	defer unix.Close(p.lock)
	if err := removeCgroups(p.name); err != nil {
		return err
	}
	return os.RemoveAll(p.dir)
}
