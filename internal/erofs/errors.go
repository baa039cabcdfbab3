package erofs

import (
	"errors"
	"fmt"
	"io/fs"
)

// ErrUnsupported is the error of an entry that no image can show as it is: a
// value that the format or overlayfs has no room for. It comes in a
// [fs.PathError] that names the entry.
var ErrUnsupported = errors.New("cannot be shown in a mounted root")

// ErrTooLarge is the error of a delta with more nodes than were allowed.
var ErrTooLarge = errors.New("the change is too large for a delta")

func unsupported(path, format string, args ...any) error {
	return &fs.PathError{Op: "mount", Path: path, Err: fmt.Errorf("%w: %s", ErrUnsupported, fmt.Sprintf(format, args...))}
}
