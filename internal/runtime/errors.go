package runtime

import (
	"errors"
	"fmt"
)

// ErrNotFound means that the program inlay-runc is nowhere; see [Find].
var ErrNotFound = errors.New("inlay-runc not found")

// ErrNoCgroups means that limits were asked for where cgroups cannot be
// written.
var ErrNoCgroups = errors.New("limits need writable cgroups, and there are none here: run without limits, or with /sys/fs/cgroup writable")

// StartError means that the process did not start. Code is what a shell would
// exit with: 127 when the program does not exist, 126 when it cannot be
// executed, 125 when the place for it could not be made.
type StartError struct {
	Path   string // the program, as it was asked for
	Reason string // for people
	Code   int
	Stage  Stage
	Detail string // what runc said, whole
	// Err is the cause when it is known: a syscall.Errno, most often, which
	// fs.ErrNotExist and fs.ErrPermission hold for; exec.ErrNotFound when no
	// directory of PATH has the program; exec.ErrDot when a relative one has it.
	Err error
}

// Stage says how far a process came that did not start.
type Stage int

const (
	// StagePlace is when its root, mounts and namespaces are made.
	StagePlace Stage = iota
	// StageDirectory is when it goes to its working directory.
	StageDirectory
	// StageProgram is when the program is looked up and executed.
	StageProgram
)

func (e *StartError) Error() string { return fmt.Sprintf("cannot start %q: %s", e.Path, e.Reason) }

// Unwrap gives the cause.
func (e *StartError) Unwrap() error { return e.Err }
