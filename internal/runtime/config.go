package runtime

// Config says where the runtime does its work.
type Config struct {
	// Program is the path of inlay-runc, as [Find] gives it.
	Program string
	// StateDir is a directory for what running processes need: their runtime
	// state, their files of /etc. It is created, mode 0700. Several engines may
	// share it. See [Sweep].
	StateDir string
	// Enter, if it is not nil, moves the calling thread to where the process'
	// root can be seen, such as a mount namespace. The thread is not used for
	// anything else afterwards.
	Enter func() error
}
