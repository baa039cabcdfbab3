package runtime

import (
	"io"
	"os"
	"syscall"
	"time"
)

// Process describes one process and the place it runs in. Nothing is shared
// with other processes in the same root; the root must not be used by others
// until [Run] returns.
type Process struct {
	Root     string // directory on the host that the process sees as /; symlinks in the path are followed
	ReadOnly bool   // the root cannot be written; mount points that it lacks are made all the same, and taken away

	Args []string // program and arguments; a program without a slash is looked up in Env's PATH
	Env  []string // as "NAME=value"; nothing is added, but see [DefaultPath]
	Dir  string   // working directory, default /; one that does not exist is created, and stays
	User User     // zero value: root

	Stdin  io.Reader // nil: empty. An *os.File is handed over as it is
	Stdout io.Writer // nil: discarded. An *os.File is handed over as it is
	Stderr io.Writer // nil: discarded. With a Terminal, all output goes to Stdout

	// Ordinary makes the process one like others. Otherwise it is the first of its
	// pid namespace, as in a container: the kernel keeps all signals from it that it
	// has no handler for, such as what ^C sends, and orphans are its to wait for.
	Ordinary bool

	Terminal *Terminal // nil: none; otherwise standard input and output are a new terminal

	Hostname   string   // default "inlay"
	Network    Network  // default NetworkNone
	Hosts      []Host   // more lines for /etc/hosts
	ResolvConf []byte   // content of /etc/resolv.conf; nil: the host's own with NetworkHost, otherwise empty
	Mounts     []Mount  // in this order, after the default ones
	AddCaps    []string // capabilities beyond the default set, as "CAP_SYS_PTRACE"; the seccomp profile follows
	Limits     Limits

	// Grace is the time between SIGTERM and SIGKILL when ctx ends; 0 kills
	// at once.
	Grace time.Duration

	// Signals are passed on to every process of the root as they come: SIGHUP,
	// SIGINT, SIGQUIT, SIGTERM, SIGUSR1 and SIGUSR2. Nil has none.
	Signals <-chan syscall.Signal
}

// DefaultPath is the PATH that images without one expect (docker's).
const DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Network says which network a process sees.
type Network int

const (
	// NetworkNone is a new network namespace with a loopback device only.
	NetworkNone Network = iota
	// NetworkHost is the network of the engine itself.
	NetworkHost
)

// Host is a line of /etc/hosts.
type Host struct {
	Name    string // one or more names, separated by spaces
	Address string // IPv4 or IPv6
}

// Mount shows something of the host, or a new empty file system, at a path of
// the root for as long as the process lives.
type Mount struct {
	Target   string // path in the root; symlinks are followed inside the root
	Source   string // directory or file of the host; empty: a tmpfs
	ReadOnly bool
	Size     int64       // of a tmpfs, in bytes; 0: half of the memory, as the kernel has it
	Mode     os.FileMode // of a tmpfs' root; 0: 01777
}

// Limits bounds what a process may use. Zero fields mean no limit. Limits need
// writable cgroups: where there are none, [Run] fails with [ErrNoCgroups].
type Limits struct {
	Memory int64 // bytes, swap included
	CPU    float64
	Pids   int64
	Files  uint64 // open files of one process; 0: 1,048,576, or less where the engine may not have as many
}

// Terminal is a terminal that the process is started on. Its master side is
// copied from Stdin and to Stdout: all that was written to it has reached Stdout
// when [Run] returns. Stdin is read as long as the process runs, and is not waited
// for; one that is at its end leaves the terminal as it is.
type Terminal struct {
	Width, Height uint16      // in characters; 0: 80 by 24
	Resize        <-chan Size // optional; may be closed
}

// Size is the size of a terminal in characters.
type Size struct{ Width, Height uint16 }
