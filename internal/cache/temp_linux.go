package cache

import (
	"os"

	"golang.org/x/sys/unix"
)

// tempFile makes a file in dir that has no name, so that nothing stays of it
// however this process ends.
func tempFile(dir string) (*os.File, error) {
	if dir == "" {
		dir = os.TempDir()
	}
	f, err := os.OpenFile(dir, os.O_RDWR|unix.O_TMPFILE|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return removedFile(dir) // a file system that has no such files
	}
	return f, nil
}
