//go:build !linux

package cache

import "os"

// tempFile makes a file in dir that is removed at once.
func tempFile(dir string) (*os.File, error) { return removedFile(dir) }
