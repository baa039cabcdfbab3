package store

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/inlaybuild/inlay/digest"
)

// ErrMissing is the error of a blob, a node, a ref or a run that the store does
// not have. It is also [fs.ErrNotExist].
var ErrMissing = fmt.Errorf("not in the store: %w", fs.ErrNotExist)

// ErrFormat is the error of a directory that is not a store, or is a store of a
// version that this program does not know.
var ErrFormat = errors.New("unknown store format")

// ErrBusy is the error of waiting too long for another process.
var ErrBusy = errors.New("store is busy")

// ErrReadOnly is the error of writing to a store that could only be opened for
// reading.
var ErrReadOnly = errors.New("store is read-only")

// ErrIncomplete is the error of committing something that names a blob or a
// node that the store has not.
var ErrIncomplete = errors.New("names what the store has not")

// Kind says what an error or a problem is about.
type Kind string

// The kinds of things in a store.
const (
	KindBlob     Kind = "blob"
	KindNode     Kind = "node"
	KindResult   Kind = "result"
	KindRef      Kind = "ref"
	KindRun      Kind = "run"
	KindDatabase Kind = "database"
)

// A MissingError names what is missing. It is [ErrMissing].
type MissingError struct {
	Kind   Kind
	Digest digest.Digest // of a blob or a node
	Name   string        // of anything else
}

func (e *MissingError) Error() string {
	name := e.Name
	if !e.Digest.IsZero() {
		name = e.Digest.String()
	}
	return fmt.Sprintf("%s %s is %v", e.Kind, name, ErrMissing)
}

// Unwrap gives ErrMissing.
func (e *MissingError) Unwrap() error { return ErrMissing }
