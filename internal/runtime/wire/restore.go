//go:build linux

package wire

import "golang.org/x/sys/unix"

// RestoreVerb makes inlay-runc the guard of a terminal: it reads a [Restore] from
// its standard input, waits for the end of that, and puts the terminal at
// TerminalFd back, unless [Restored] came first.
const RestoreVerb = "restore-terminal"

// TerminalFd is the file descriptor of the terminal that is guarded.
const TerminalFd = 3

// Restored says that the terminal has been put back already.
const Restored = "done\n"

// Restore is the settings of a terminal, one line of JSON.
type Restore struct {
	Saved unix.Termios // as they were
	Raw   unix.Termios // as they are now: others are somebody else's, and stay
}
