package shim

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/inlaybuild/inlay/tree"
)

// Files that [Exec] leaves. ExitFile comes last: where it is, the others are whole.
const (
	StdoutFile = "stdout"
	StderrFile = "stderr"
	ExitFile   = "exit.json"
)

// RunAttr is the attribute that the root and the directory of the output have after
// [Exec], with the value that [Exit] has as Run, if it says that they are Marked. Whoever
// keeps the two apart tells by it whether they are of one execution. No layer of an image
// has it.
const RunAttr = "user.inlay.run"

// Exit is how a process ended that [Exec] ran.
type Exit struct {
	// Run names the execution, as no other one is named.
	Run string
	// Marked tells that directories have it as [RunAttr], which not all can have.
	Marked bool

	Code   int  // what it returned; 128 plus the number of the signal that ended it
	Signal int  // 0 unless a signal ended it
	OOM    bool // the kernel killed a process of the container for lack of memory, as far as it tells

	// Start is why the process did not start; nil if it did.
	Start *Start

	// Root is the attributes that the root was left with. Where what the process left
	// goes through a layer of an image, nothing else tells.
	Root tree.Attr
	// Made is what became of those of [Spec.Made] that are there still.
	Made []Made

	StdoutSize, StderrSize int64 // bytes in the files, secrets masked

	// ClockStart and ClockEnd are when the program ran, in nanoseconds since 1970 by the
	// clock of file systems: what it and its children changed has times between them,
	// unless they have set others.
	ClockStart, ClockEnd int64

	StartedUnixNano int64 // when the program was executed
	ElapsedNano     int64 // from then to its end
	UserNano        int64 // CPU time in user mode, of the process and of all that it waited for
	SystemNano      int64 // CPU time in the kernel
	MaxRSS          int64 // largest resident set of one process, in bytes
}

// Made is a directory that was made on the way to a mount point, as a process left it.
type Made struct {
	Path    string
	Attr    tree.Attr
	Changed bool // it is another one than before, or has another owner or mode
}

// Start says why a process did not start.
type Start struct {
	Stage Stage
	Errno int // of the kernel's answer; 0 if it was not asked: nothing was found in PATH, say
	// Path is what could not be used: the working directory, or the program as it
	// was found.
	Path string
	// Detail is the reason in the words of runc, which runs processes elsewhere.
	Detail string
}

// Stage says how far a process came that did not start. The numbers are those of
// package runtime.
type Stage int

// The stages of a start.
const (
	// StagePlace is when it becomes its user.
	StagePlace Stage = iota
	// StageDirectory is when it goes to its working directory.
	StageDirectory
	// StageProgram is when the program is looked up and executed.
	StageProgram
)

type startFile struct {
	Stage        Stage
	Errno        int
	Path, Detail []byte
}

type exitFile struct {
	Version int
	Exit
	Start *startFile `json:",omitempty"`
	Root  []byte     // as in a list of changes
	Made  []madeFile `json:",omitempty"`
}

type madeFile struct {
	attrOfPath
	Changed bool
}

// Encode gives the file for [DecodeExit].
func (e Exit) Encode() ([]byte, error) {
	f := exitFile{Version: Version, Exit: e, Root: appendAttr(nil, e.Root)}
	for _, m := range e.Made {
		f.Made = append(f.Made, madeFile{attrOfPath{[]byte(m.Path), appendAttr(nil, m.Attr)}, m.Changed})
	}
	if s := e.Start; s != nil {
		f.Start = &startFile{s.Stage, s.Errno, []byte(s.Path), []byte(s.Detail)}
	}
	return json.Marshal(f)
}

// DecodeExit reads a file that [Exec] left.
func DecodeExit(b []byte) (Exit, error) {
	var f exitFile
	if err := json.Unmarshal(b, &f); err != nil {
		return Exit{}, fmt.Errorf("malformed %s: %w", ExitFile, err)
	}
	if err := checkVersion(f.Version); err != nil {
		return Exit{}, fmt.Errorf("%s: %w", ExitFile, err)
	}
	e := f.Exit
	e.Start, e.Made = nil, nil
	var err error
	if e.Root, err = decodeAttr(f.Root); err != nil {
		return Exit{}, fmt.Errorf("malformed %s: %w", ExitFile, err)
	}
	for _, m := range f.Made {
		a, err := decodeAttr(m.Attr)
		if err = errors.Join(err, checkPath(string(m.Path))); err != nil {
			return Exit{}, fmt.Errorf("malformed %s: %w", ExitFile, err)
		}
		e.Made = append(e.Made, Made{string(m.Path), a, m.Changed})
	}
	if s := f.Start; s != nil {
		e.Start = &Start{s.Stage, s.Errno, string(s.Path), string(s.Detail)}
	}
	return e, nil
}
