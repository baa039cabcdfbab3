package program

import (
	"github.com/inlaybuild/inlay/tree"
)

// Why says why a program was not executed.
type Why struct {
	Err   error // what the kernel says: a syscall.Errno, exec.ErrNotFound or exec.ErrDot
	Cause Cause
	Role  Role   // of Path
	Path  string // what could not be used, as it was asked for
	Of    string // the file that asks for it, if it is not the program itself
	At    string // the place that is in the way, or that is missing, free of symlinks; "" if it is none
	Mode  tree.Mode
	Tried []string // of NotInPath: the places that were looked at
	Text  string   // one clause for people, which names the thing
	Hint  string   // what to do, if that is known; "" otherwise
}

// Cause is the kind of a [Why].
type Cause string

// The causes.
const (
	Missing             Cause = "missing"               // a path does not exist
	NotInPath           Cause = "not-in-path"           // no directory of PATH has it
	RelativePath        Cause = "relative-path"         // a directory of PATH has it that is not absolute
	NotDirectory        Cause = "not-a-directory"       // a path leads through something else
	Loop                Cause = "symlink-loop"          // a path leads through too many symlinks
	TooLong             Cause = "too-long"              // a path or a name is too long
	NotSearchable       Cause = "not-searchable"        // the user may not go through a directory
	NotExecutable       Cause = "not-executable"        // the user may not execute a file
	IsDirectory         Cause = "is-a-directory"        // it is no file, but a directory
	NotRegular          Cause = "not-a-file"            // it is a device, a fifo or a socket
	BadScript           Cause = "bad-first-line"        // a line that begins with #! names no interpreter
	DOSLine             Cause = "dos-line"              // the name of the interpreter ends in a carriage return
	TooManyInterpreters Cause = "too-many-interpreters" // scripts are the interpreters of one another
	NotProgram          Cause = "not-a-program"         // neither an ELF file nor a script
	Damaged             Cause = "damaged"               // an ELF file that cannot be used
	OtherMachine        Cause = "other-machine"         // an ELF file for another kind of machine
	Hidden              Cause = "hidden"                // a mount hides it
)

// Role is what a path is to a process.
type Role string

// The roles.
const (
	Program          Role = "program"
	Interpreter      Role = "interpreter"       // of a script
	Loader           Role = "elf-interpreter"   // of an ELF file
	WorkingDirectory Role = "working-directory" // where the process starts
)

// Code gives the exit code that a shell has for it: 127 if something is not found,
// 126 if it is found and cannot be executed.
func (w *Why) Code() int {
	switch w.Cause {
	case Missing, NotInPath, RelativePath, NotDirectory, Loop, TooLong, DOSLine, Hidden:
		return 127
	}
	return 126
}

// subject is a path that the kernel looks at.
type subject struct {
	role Role
	path string // as it is asked for
	of   string // the file that asks for it
	file *file  // when it was found
}

func (c *explainer) why(s subject, err error, cause Cause, at, says string) *Why {
	w := &Why{Err: err, Cause: cause, Role: s.role, Path: s.path, Of: s.of, At: at}
	switch cause {
	case IsDirectory:
		w.Text = c.name(s, at) + " is a directory"
	case NotRegular:
		w.Text = c.name(s, at) + " is a " + says + ", not a file"
	case NotProgram, Damaged:
		w.Text = c.name(s, at) + " " + says
	case BadScript:
		w.Text = "the first line of " + c.name(s, at) + " " + says
	case TooManyInterpreters:
		w.Text = "the interpreter of " + c.process.Name + " is a script whose interpreter is a script, and so on; the last is " + s.path
	case NotInPath:
		w.Text = "the name of the program is " + quoted(s.path)
	}
	return w
}

// fault gives what a path that leads nowhere means for what asks for it.
func (c *explainer) fault(s subject, f *fault) *Why {
	w := &Why{Err: f.errno, Cause: f.cause(), Role: s.role, Path: s.path, Of: s.of, At: f.at}
	c.sayFault(w, s, f)
	return w
}
