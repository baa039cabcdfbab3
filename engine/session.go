package engine

import (
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/inlaybuild/inlay/tree"
)

// ErrNoTerminal means that a graph wants to open a terminal, and the engine has
// none.
var ErrNoTerminal = errors.New("there is no terminal to open: standard input and output must be one")

// TerminalOpened says that a step gives the person's terminal to a process. Until
// [TerminalClosed] comes nothing else must be written there.
type TerminalOpened struct {
	Step int // -1 for what is no step
	Args []string
}

// TerminalClosed says that the terminal is free again.
type TerminalClosed struct {
	Step int // -1 for what is no step
	Left Left
}

func (TerminalOpened) event() {}
func (TerminalClosed) event() {}

// Left is how a process ended that a person stood in a tree with, and what it
// left.
type Left struct {
	Args     []string
	ExitCode int            // what a shell would have
	Signal   syscall.Signal // that ended it; 0 for none
	Took     time.Duration
	// Failed says why the process did not start, or found nothing to run; nil
	// otherwise.
	Failed *ExecError
	// Stopped says why the process was ended from outside; nil if it was not.
	Stopped error
	// Tree is the tree as it was left.
	Tree tree.Tree
	// Changed is how many paths were added, replaced or removed.
	Changed int64
	Kept    bool // as a name, or as the result of the step
	Away    bool // the store does not have Tree: it is known, and contents are at a remote alone
}

// Outcome says how it ended, in one line.
func (l Left) Outcome() string {
	how := fmt.Sprintf("exited with code %d", l.ExitCode)
	if l.Signal != 0 {
		how = fmt.Sprintf("killed by signal %d (%v)", int(l.Signal), l.Signal)
	}
	how += " after " + took(l.Took)
	switch f := l.Failed; {
	case f == nil:
	case f.Why != nil:
		how += ": " + f.Why.Text
	case f.Reason != "":
		how += ": " + f.Reason
	}
	if l.Stopped != nil {
		how += ": " + l.Stopped.Error()
	}
	return how
}

// took writes a time as people say it.
func took(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60)
}
