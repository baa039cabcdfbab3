package treetest

import (
	"time"

	"golang.org/x/sys/unix"
)

// Openat2 is openat2(2), asked until the answer is about the path alone. The
// kernel says EAGAIN when something is renamed meanwhile, anywhere. And it says
// ELOOP too early: where its cache of names does not suffice, or something is
// mounted meanwhile, it begins again, and counts the links that it has followed
// twice. A walk in the cache alone counts them once, so that is asked then.
func Openat2(dir int, path string, how *unix.OpenHow) (int, error) {
	const resolveCached = 0x20
	cached := *how
	cached.Resolve |= resolveCached
	var fd int
	var err error
	for n := range 1000 {
		if fd, err = unix.Openat2(dir, path, how); err == unix.ELOOP {
			// The names are in its cache now, and when the links were read is written.
			fd, err = unix.Openat2(dir, path, &cached)
			if (err == unix.EINVAL || how.Flags&unix.O_CREAT != 0) && n == 20 {
				return -1, unix.ELOOP // it cannot tell: before Linux 5.12, or where a file may be made
			}
			if err == unix.EAGAIN || err == unix.EINVAL {
				err = unix.ELOOP
				time.Sleep(time.Duration(n) * 10 * time.Microsecond)
				continue
			}
		}
		if err != unix.EAGAIN && err != unix.EINTR {
			break
		}
	}
	return fd, err
}
