// Package terminal is a person's own terminal, lent to a process that runs on
// another one.
//
// A process in a root gets a new terminal of its own. What is typed at the
// person's goes there as it is, and what the process writes comes back as it is:
// so the person's terminal is raw meanwhile, which is all that is done to it.
// Nothing is ever written to it here: not a byte to clear, reset or switch it.
//
// # Nothing is left behind
//
// Who is killed cannot put the terminal back. So a small process of our own, which
// is in another session and holds the terminal, waits for the end of this one, and
// does it then; unless somebody else, such as the shell that we were started from,
// has changed the terminal already.
package terminal
