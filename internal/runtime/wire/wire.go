// Package wire is what the engine and the program inlay-runc say to each other:
// one request on file descriptor 3, one report on file descriptor 4, both JSON.
// The process' own standard streams are descriptors 0 to 2; a socket for the
// master side of a terminal, if there is one, is descriptor 5.
package wire

import specs "github.com/opencontainers/runtime-spec/specs-go"

// Version names the form of the messages. An inlay-runc of another version is
// refused.
const Version = 2

// File descriptors of the two messages and of the console socket.
const (
	RequestFd = 3
	ReportFd  = 4
	ConsoleFd = 5
)

// FailureFd is where inlay-runc's own child, which becomes the process, says why
// it could not: closed by the execve(2) that succeeds, so a process that runs
// can say nothing there.
const FailureFd = 3

// Request asks for one process.
type Request struct {
	Version  int
	Name     string      // of the container: its state directory and cgroup
	State    string      // directory for the runtime's state
	Cgroups  bool        // make a cgroup; without, the process stays in the engine's
	Terminal bool        // send the master side of a new terminal to ConsoleFd
	Spec     *specs.Spec // what to run, an OCI runtime configuration
}

// Report tells how it ended.
type Report struct {
	Version int
	Error   string // why the process did not start, and if execve(2) refused; empty when it did
	Code    int    // exit code, or 128 plus the signal
	Signal  int
	OOM     bool

	StartedUnixNano int64
	ElapsedNano     int64
	UserNano        int64
	SystemNano      int64
	MaxRSS          int64 // bytes
}
