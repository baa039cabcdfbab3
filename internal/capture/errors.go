package capture

import (
	"errors"
	"fmt"
	"io/fs"
)

// Errors of captures.
var (
	// ErrChanged is the error of a file or directory that does not hold still.
	ErrChanged = errors.New("it changed while it was read")
	// ErrOwner is the error of an owner that no tree can have.
	ErrOwner = errors.New("owner 4294967295 stands for nobody")
	// ErrOverlay is the error of an upper directory that does not belong to its
	// base.
	ErrOverlay = errors.New("the upper directory does not fit the base")
)

// ChangedError is [ErrChanged] with the file.
type ChangedError struct {
	Path  string // as given by the caller, and below it
	Tries int
}

// Error names the file and says what to do.
func (e *ChangedError) Error() string {
	return fmt.Sprintf("capture %s: %s, %d times; stop what writes to it, or exclude it", e.Path, ErrChanged, e.Tries)
}

// Is tells that it is [ErrChanged].
func (e *ChangedError) Is(target error) bool { return target == ErrChanged }

func pathError(op, path string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) || errors.Is(err, ErrChanged) {
		return err
	}
	return &fs.PathError{Op: op, Path: path, Err: err}
}
