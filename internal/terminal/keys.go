//go:build linux

package terminal

import (
	"errors"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// Keys reads a file until it is closed, which ends a read that waits: so nothing
// that comes later is taken from who reads next.
type Keys struct {
	from  *os.File
	stop  [2]int // a pipe
	once  sync.Once
	reads sync.Mutex
}

// NewKeys gives what reads f. Closing it leaves f open.
func NewKeys(f *os.File) (*Keys, error) {
	k := &Keys{from: f}
	if err := unix.Pipe2(k.stop[:], unix.O_CLOEXEC); err != nil {
		return nil, err
	}
	return k, nil
}

// Read waits for something to read.
func (k *Keys) Read(b []byte) (int, error) {
	k.reads.Lock()
	defer k.reads.Unlock()
	if k.stop[0] < 0 {
		return 0, io.EOF
	}
	fds := []unix.PollFd{{Fd: int32(k.from.Fd()), Events: unix.POLLIN}, {Fd: int32(k.stop[0]), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(fds, -1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return 0, err
		}
		switch {
		case fds[1].Revents != 0:
			return 0, io.EOF
		case fds[0].Revents != 0:
			return k.from.Read(b)
		}
	}
}

// Close ends reading. It may be called again.
func (k *Keys) Close() error {
	k.once.Do(func() {
		unix.Close(k.stop[1]) // which ends a poll
		k.reads.Lock()
		defer k.reads.Unlock()
		unix.Close(k.stop[0])
		k.stop[0] = -1
	})
	return nil
}
