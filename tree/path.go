package tree

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
)

// MaxName is the greatest length of a name, in bytes, as Linux has it.
const MaxName = 255

// Errors of names and paths.
var (
	// ErrName is the error of a name that no directory can hold.
	ErrName = errors.New("invalid name")
	// ErrLoop is the error of a path that leads through too many symlinks.
	ErrLoop = errors.New("too many symlinks")
	// ErrNotDirectory is the error of a path that goes through something that
	// is not a directory.
	ErrNotDirectory = errors.New("not a directory")
	// ErrMissingNode is the error of a part of a tree that its source lacks.
	ErrMissingNode = errors.New("a part of the tree is missing from the store")
)

// CheckName tells whether a directory can hold name: not empty, not "." or
// "..", no slash, no NUL, at most [MaxName] bytes.
func CheckName(name string) error {
	switch {
	case name == "" || name == "." || name == "..":
		return fmt.Errorf("%w %q", ErrName, name)
	case len(name) > MaxName:
		return fmt.Errorf("%w %q...: %d bytes, at most %d are possible", ErrName, name[:32], len(name), MaxName)
	case strings.IndexByte(name, '/') >= 0:
		return fmt.Errorf("%w %q: it has a slash", ErrName, name)
	case strings.IndexByte(name, 0) >= 0:
		return fmt.Errorf("%w %q: it has a NUL byte", ErrName, name)
	}
	return nil
}

// CleanPath gives the rooted, lexically clean form of a path that a user gave:
// "a/../b" is "/b", "../../x" is "/x". An error tells of a name that cannot be,
// be it one that cleaning would take away.
func CleanPath(p string) (string, error) {
	for name := range splitPath(p) {
		if name == "." || name == ".." {
			continue
		}
		if err := CheckName(name); err != nil {
			return "", &fs.PathError{Op: "path", Path: p, Err: err}
		}
	}
	return path.Clean("/" + p), nil
}

// splitPath gives the names of a path, rooted or relative.
func splitPath(p string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for p != "" {
			var name string
			name, p, _ = strings.Cut(p, "/")
			if name != "" && !yield(name) {
				return
			}
		}
	}
}

// ComparePaths orders clean paths as [Walk] meets them: name by name.
func ComparePaths(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if x, y := a[i], b[i]; x != y {
			if x == '/' || y != '/' && x < y {
				return -1
			}
			return 1
		}
	}
	return len(a) - len(b)
}

func pathError(op, p string, err error) error {
	return &fs.PathError{Op: op, Path: p, Err: err}
}
