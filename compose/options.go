package compose

import (
	"fmt"
	"strings"

	"github.com/inlaybuild/inlay/tree"
)

// Existing says what becomes of entries that are at the destination.
type Existing string

// The values of [Existing].
const (
	// ExistingMerge merges directories and replaces anything else.
	ExistingMerge Existing = ""
	// ExistingReplace empties the directory that a source directory's contents
	// go into first, as a mount would hide it; of a file it replaces the name
	// that the file takes.
	ExistingReplace Existing = "replace"
	// ExistingForbid makes it an error to overwrite anything; directories that
	// merge are not overwritten.
	ExistingForbid Existing = "forbid"
)

// Options is how a copy is done. The zero Options copies with the source's
// attributes, following the symlinks of the destination.
type Options struct {
	// Owner is given to all that is copied and to parents that are made. Nil
	// keeps the source's; parents are 0:0.
	Owner *Owner
	// Mode changes the mode of all that is copied but symlinks. Nil keeps the
	// source's.
	Mode *ModeChange
	// Time is given to all that is copied. Nil keeps the source's.
	Time *tree.Time
	// Include keeps only what matches one of these patterns, which are in the
	// language of .dockerignore and relative to the source directory. Empty
	// keeps all.
	Include []string
	// Exclude leaves out what matches these patterns, of the same language.
	Exclude []string
	// Gitignore leaves out what the .gitignore files of the source tree make git
	// ignore, of what source directories hold. What is named itself is copied.
	Gitignore bool
	// Bodies opens what files of the source hold. It is needed for Gitignore.
	Bodies tree.Contents
	// Overlay follows no symlink of the destination, and replaces the one that
	// meets a directory: as unpacking a layer does.
	Overlay bool
	// Existing says what becomes of entries that are at the destination.
	Existing Existing
	// KeepLink copies a source that is a symlink as a symlink.
	KeepLink bool
	// AllowEmpty makes a source pattern that matches nothing no error.
	AllowEmpty bool
	// File makes it an error that the source is a directory.
	File bool
	// Contents makes a source directory itself never a thing to copy into the
	// destination: the source must be a directory, and what it holds is copied.
	Contents bool
	// Epoch is the time of parents that are made.
	Epoch tree.Time
}

// selects tells whether the options leave out anything of a source directory.
func (o Options) selects() bool { return len(o.Include)+len(o.Exclude) > 0 || o.Gitignore }

// selection gives what the options select of a directory of the source.
func (o Options) selection(of string) Selection {
	return Selection{Include: o.Include, Exclude: o.Exclude, Gitignore: o.Gitignore, Bodies: o.Bodies, of: of}
}

// Owner is a user and a group by number.
type Owner struct {
	UID, GID uint32
}

// ForbidError is the error of a copy that would overwrite what must not be.
type ForbidError struct {
	Paths []string // all of them, in the order of the copy
}

// Error lists the paths.
func (e *ForbidError) Error() string {
	many := "paths"
	if len(e.Paths) == 1 {
		many = "path"
	}
	return fmt.Sprintf("the copy would overwrite %d existing %s, which is forbidden: %s", len(e.Paths), many, strings.Join(e.Paths, ", "))
}
