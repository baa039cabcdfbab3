package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// client is inlay on a terminal, whose other side is the test's.
type client struct {
	s      *sessions
	cmd    *exec.Cmd
	ours   *os.File
	theirs *os.File
	was    unix.Termios

	mu   sync.Mutex
	out  []byte // the end of what was written
	size int64  // of all
}

// keptOut is how much of what is written a client remembers, at least.
const keptOut = 64 << 10

// start starts inlay on a new terminal.
func (s *sessions) start(args ...string) *client {
	s.t.Helper()
	ours, path := newPty(s.t)
	s.t.Cleanup(func() { ours.Close() })
	theirs, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY, 0)
	must(s.t, err)
	s.t.Cleanup(func() { theirs.Close() })
	c := &client{s: s, cmd: s.command(args...), ours: ours, theirs: theirs}
	c.was = c.settings()
	c.resize(100, 30)
	c.cmd.Stdin, c.cmd.Stdout, c.cmd.Stderr = theirs, theirs, theirs
	c.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	must(s.t, c.cmd.Start())
	s.t.Cleanup(func() { _ = c.cmd.Process.Kill() })
	go c.read()
	return c
}

// newPty gives our side of a terminal, which can be closed while somebody reads it,
// and the path of the other.
func newPty(t testing.TB) (ours *os.File, path string) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Skipf("needs terminals: %v", err)
	}
	must(t, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	must(t, err)
	return os.NewFile(uintptr(fd), "ptmx"), fmt.Sprintf("/dev/pts/%d", n)
}

func (c *client) resize(width, height int) {
	conn, err := c.ours.SyscallConn()
	must(c.s.t, err)
	must(c.s.t, conn.Control(func(fd uintptr) {
		err = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Col: uint16(width), Row: uint16(height)})
	}))
	must(c.s.t, err)
}

func (c *client) read() {
	b := make([]byte, 64<<10)
	for {
		n, err := c.ours.Read(b)
		c.mu.Lock()
		c.size += int64(n)
		c.out = append(c.out, b[:n]...)
		if len(c.out) > 2*keptOut {
			c.out = append(c.out[:0], c.out[len(c.out)-keptOut:]...)
		}
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (c *client) settings() unix.Termios {
	c.s.t.Helper()
	t, err := unix.IoctlGetTermios(int(c.theirs.Fd()), unix.TCGETS)
	must(c.s.t, err)
	return *t
}

func (c *client) written() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(bytes.Clone(c.out))
}

// until waits for something to become true.
func (c *client) until(what string, true func() bool) {
	c.s.t.Helper()
	for end := time.Now().Add(30 * time.Second); !true(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			out := c.written()
			c.s.t.Fatalf("not %s; written:\n%s", what, out[max(0, len(out)-2000):])
		}
	}
}

func (c *client) untilWritten(text string) {
	c.s.t.Helper()
	c.until(fmt.Sprintf("written: %q", text), func() bool { return strings.Contains(c.written(), text) })
}

// ends waits for the end of the client, which must have the code, and leave the
// terminal as it was and nothing else.
func (c *client) ends(code int, marker string) {
	c.s.t.Helper()
	end := make(chan error, 1)
	go func() { end <- c.cmd.Wait() }()
	select {
	case <-end:
	case <-time.After(30 * time.Second):
		out := c.written()
		c.s.t.Fatalf("it does not end; %d bytes written:\n%s", c.size, out[max(0, len(out)-2000):])
	}
	if got := c.cmd.ProcessState.ExitCode(); got != code {
		c.s.t.Errorf("exit code %d, want %d; written:\n%s", got, code, c.written())
	}
	if now := c.settings(); now != c.was {
		c.s.t.Errorf("the terminal is left as %+v, and was %+v", now, c.was)
	}
	c.s.nothingLeft(marker)
}

// marker is an argument by which processes of one test are found: a long time.
func marker(t *testing.T) string {
	var n uint32
	for _, b := range []byte(t.Name()) {
		n = n*31 + uint32(b)
	}
	return fmt.Sprintf("9%d%d", os.Getpid(), n)
}

func TestAKilledClientLeavesNothing(t *testing.T) {
	s, m := newSessions(t), marker(t)
	c := s.start("shell", "box", "--", "sh", "-c", `trap "" TERM HUP INT; setsid sleep `+m+` & echo ready; stty raw -echo; sleep `+m)
	c.untilWritten("ready")
	if c.settings() == c.was {
		t.Error("the terminal was not taken")
	}
	must(t, c.cmd.Process.Kill())
	_ = c.cmd.Wait()
	c.until("as it was", func() bool { return c.settings() == c.was })
	c.until("quiet", func() bool {
		return exec.Command("sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' '\\n' | grep -qxF "+m).Run() != nil
	})
	// What a kill leaves besides, the next one takes away.
	s.run("shell", "box", "--", "true")
	s.nothingLeft(m)
	s.run("fsck")
}

func TestAProcessThatIgnoresToBeEndedIsEnded(t *testing.T) {
	s, m := newSessions(t), marker(t)
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP} {
		c := s.start("shell", "box", "--", "sh", "-c", `trap "" TERM HUP INT QUIT; echo ready; while :; do sleep `+m+`; done`)
		c.untilWritten("ready")
		must(t, c.cmd.Process.Signal(signal))
		c.ends(137, m)
		c.untilWritten("stopped by signal (" + signal.String() + ")\r\n")
	}
}

func TestATerminalThatIsClosedEndsTheSession(t *testing.T) {
	s, m := newSessions(t), marker(t)
	c := s.start("shell", "--keep", "kept", "box", "--", "sh", "-c", `trap "" HUP; echo much work > /work; echo ready; sleep `+m)
	c.untilWritten("ready")
	must(t, c.theirs.Close())
	must(t, c.ours.Close())
	_ = c.cmd.Wait()
	s.nothingLeft(m)
	if got := s.run("cat", "kept", "/work"); got != "much work\n" {
		t.Errorf("kept %q", got)
	}
}

func TestAProcessThatClosesItsTerminalIsWaitedFor(t *testing.T) {
	s, m := newSessions(t), marker(t)
	c := s.start("shell", "box", "--", "sh", "-c", `echo before; exec <&- >&- 2>&-; sleep 0.2; echo after >/dev/console; exit 5`)
	c.ends(5, m)
	c.untilWritten("before\r\nafter\r\ninlay: exited with code 5 after ")
}

func TestChildrenThatAreLeftBehindAreEnded(t *testing.T) {
	s, m := newSessions(t), marker(t)
	started := time.Now()
	c := s.start("shell", "box", "--", "sh", "-c", `for i in 1 2 3 4 5; do setsid sleep `+m+` & sleep `+m+` & done; trap "" TERM; printf last; exit 3`)
	c.ends(3, m)
	c.untilWritten("last\r\ninlay: exited with code 3 after ")
	if took := time.Since(started); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestAFloodIsPassedOnAndIsEnded(t *testing.T) {
	s, m := newSessions(t), marker(t)
	const size = 32 << 20
	c := s.start("shell", "box", "--", "sh", "-c", fmt.Sprintf(`dd if=/dev/zero bs=64k count=%d 2>/dev/null; printf last; exit 6`, size>>16))
	c.ends(6, m)
	c.untilWritten("last\r\ninlay: exited with code 6 after ")
	c.mu.Lock()
	if c.size < size || c.size > size+1000 {
		t.Errorf("%d bytes came, and %d were written", c.size, size)
	}
	c.mu.Unlock()
	if used := c.cmd.ProcessState.SysUsage().(*syscall.Rusage).Maxrss; used > 200<<10 {
		t.Errorf("it used %d KiB of memory", used)
	}
	// ^C reaches what floods.
	c = s.start("shell", "box", "--", "yes")
	c.untilWritten("y\r\ny\r\n")
	_, err := c.ours.Write([]byte{3})
	must(t, err)
	c.ends(130, m)
	c.untilWritten("inlay: killed by signal 2 (interrupt) after ")
}

func TestResizesWithoutEnd(t *testing.T) {
	s, m := newSessions(t), marker(t)
	c := s.start("shell", "box", "--", "sh", "-c", `echo ready; until [ "$(stty size)" = "33 77" ]; do sleep 0.02; done; exit 8`)
	c.untilWritten("ready")
	for i := range 100_000 {
		c.resize(20+i%80, 5+i%20)
	}
	c.resize(77, 33)
	c.ends(8, m)
}

// What is typed and not read by the process is not lost for who comes next, and
// nothing is written but what the process writes.
func TestNothingIsAddedToWhatAProcessWrites(t *testing.T) {
	s, m := newSessions(t), marker(t)
	c := s.start("shell", "box", "--", "printf", `\033[31mred\033[0m\033[?1049hother\033[?1049l\007end`)
	c.ends(0, m)
	c.untilWritten("inlay: ")
	got := regexp.MustCompile(`\d+ ms`).ReplaceAllString(c.written(), "N ms")
	if want := "\x1b[31mred\x1b[0m\x1b[?1049hother\x1b[?1049l\aend\r\ninlay: exited with code 0 after N ms\r\n"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
