//go:build linux

package shim

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Size is the size of a terminal, in characters.
type Size struct{ Rows, Columns uint16 }

// ParseSize reads the arguments of the program.
func ParseSize(rows, columns string) (s Size, err error) {
	r, err := strconv.ParseUint(rows, 10, 16)
	c, err2 := strconv.ParseUint(columns, 10, 16)
	if err = errors.Join(err, err2); err != nil {
		return s, fmt.Errorf("size of a terminal: %w", err)
	}
	return Size{uint16(r), uint16(c)}, nil
}

// Enter runs the process that the file spec says for a person, on this process' own
// streams. They are a terminal of the size that is given; nil means pipes, or files.
//
// It says, as [Ear] hears it: nothing, when what is typed may come; and the [Exit],
// when the process has ended and all that it left running has. Everything that they
// wrote to a stream comes before that: the exit is said on standard error, too, if that
// is another one. Then it waits to be killed. So others can be started
// beside it that look at what was left.
//
// Signals are passed on to all processes of the container, but [EndSignal], which
// kills them.
func Enter(spec string, size *Size) error {
	s, err := readSpec(spec)
	if err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("keep others from tracing this process: %w", err)
	}
	if err := closeOnExec(); err != nil {
		return fmt.Errorf("keep open files from the process: %w", err)
	}
	env, _, err := s.environment()
	if err != nil {
		return err
	}
	if err := s.setAttrs(); err != nil {
		return err
	}
	e := &entering{execution: execution{spec: s, env: env}, mark: os.Getenv(MarkVariable), terminal: size != nil}
	if e.alone, err = becomeParent(); err != nil {
		return err
	}
	sys := &syscall.SysProcAttr{Setsid: true}
	if size != nil {
		if err := leaveTerminal(*size); err != nil {
			return fmt.Errorf("the terminal: %w", err)
		}
		sys.Setctty = true // the first of its streams
	}
	exit, err := e.run(sys)
	if err != nil {
		return err
	}
	text, err := exit.Encode()
	if err != nil {
		return err
	}
	if err := e.say(text); err != nil {
		return err
	}
	if !e.terminal {
		if err := utter(os.Stderr, e.mark, text); err != nil {
			return err
		}
	}
	select {} // until somebody kills it
}

// EndSignal has [Enter] kill all processes of the container but itself.
const EndSignal = syscall.SIGPWR

// entering is a process of a person that is run.
type entering struct {
	execution
	mark     string
	alone    bool
	terminal bool
}

// say says something that no process of the container can keep from being heard.
func (e *entering) say(text []byte) error {
	if e.terminal { // whatever state it was left in
		t, err := unix.IoctlGetTermios(0, unix.TCGETS)
		if err != nil {
			return fmt.Errorf("the terminal: %w", err)
		}
		plain := *t
		plain.Iflag &^= unix.IXON // what was stopped goes on
		plain.Oflag &^= unix.OPOST
		if err := unix.IoctlSetTermios(0, unix.TCSETS, &plain); err != nil {
			return fmt.Errorf("the terminal: %w", err)
		}
		defer func() { _ = unix.IoctlSetTermios(0, unix.TCSETS, t) }()
	}
	return utter(os.Stdout, e.mark, text)
}

func (e *entering) run(sys *syscall.SysProcAttr) (Exit, error) {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2, unix.SIGPIPE, EndSignal)
	if err := e.say(nil); err != nil {
		return Exit{}, err
	}
	before := oomKills()
	pid, start := e.start([]*os.File{os.Stdin, os.Stdout, os.Stderr}, sys)
	started := time.Now()
	if start != nil {
		return Exit{Code: start.code(), Start: start}, nil
	}
	go forward(signals, pid, e.alone)
	status, usage, err := waitFor(pid)
	elapsed := time.Since(started)
	if err != nil {
		return Exit{}, err
	}
	if err := endAll(e.alone); err != nil {
		return Exit{}, err
	}
	return exitOf(status, usage, started, elapsed, oomKills() > before), nil
}

// leaveTerminal waits until the terminal, which is this process' own, has its size,
// and leaves it to the session of another one.
func leaveTerminal(want Size) error {
	for range 500 {
		size, err := unix.IoctlGetWinsize(0, unix.TIOCGWINSZ)
		if err != nil {
			return err
		}
		if (Size{size.Row, size.Col}) == want {
			break
		}
		time.Sleep(2 * time.Millisecond)
	}
	if err := unix.IoctlSetWinsize(0, unix.TIOCSWINSZ, &unix.Winsize{Row: want.Rows, Col: want.Columns}); err != nil {
		return err
	}
	signal.Ignore(unix.SIGHUP, unix.SIGCONT) // which the kernel sends then
	if err := unix.IoctlSetInt(0, unix.TIOCNOTTY, 0); err != nil && err != unix.ENOTTY {
		return err
	}
	signal.Reset(unix.SIGHUP, unix.SIGCONT)
	return nil
}
