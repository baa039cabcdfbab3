package layer

import (
	"errors"
	"fmt"
)

// ErrMalformed is the error of bytes that are not a layer.
var ErrMalformed = errors.New("malformed layer")

// ErrUnwritable is the error of an entry that a layer cannot hold.
var ErrUnwritable = errors.New("cannot be in a layer")

// EntryError tells which entry of a layer is wrong, and how.
type EntryError struct {
	Name string // as the tar has it, or the path of the tree
	Err  error  // wraps ErrMalformed or ErrUnwritable
}

// Error names the entry and what is wrong.
func (e *EntryError) Error() string {
	return fmt.Sprintf("entry %s: %s", quote(e.Name), e.Err)
}

// Unwrap gives what is wrong.
func (e *EntryError) Unwrap() error { return e.Err }

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrMalformed, fmt.Errorf(format, args...))
}

func unwritable(path, format string, args ...any) error {
	return &EntryError{path, fmt.Errorf("%w: %s", ErrUnwritable, fmt.Sprintf(format, args...))}
}

// quote quotes a name, which may be of any length.
func quote(name string) string {
	const most = 300
	if len(name) > most {
		return fmt.Sprintf("%q... (%d bytes)", name[:most], len(name))
	}
	return fmt.Sprintf("%q", name)
}
