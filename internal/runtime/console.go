//go:build linux

package runtime

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// console is the engine's side of a process' terminal. runc makes the terminal
// inside the container and sends its master side over a socket.
type console struct {
	ours, theirs *os.File      // ends of the socket
	ended        chan struct{} // when no process is left
	done         chan struct{} // when all output has been passed on
}

func newConsole(opened *files) (*console, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	c := &console{
		ours: os.NewFile(uintptr(pair[0]), "console"), theirs: os.NewFile(uintptr(pair[1]), "console"),
		ended: make(chan struct{}), done: make(chan struct{}),
	}
	opened.add(c.ours)
	opened.add(c.theirs)
	return c, nil
}

func (t *Terminal) size() Size {
	if t.Width == 0 || t.Height == 0 {
		return Size{80, 24}
	}
	return Size{t.Width, t.Height}
}

// start waits for the terminal and copies it from and to p's streams.
func (c *console) start(p *Process) {
	go func() {
		defer close(c.done)
		master, err := c.receive()
		if err != nil {
			return // the process did not start: the report says why
		}
		defer master.Close()
		stop := make(chan struct{})
		defer close(stop)
		go resize(master, p.Terminal.Resize, stop)
		if p.Stdin != nil {
			go func() { _, _ = io.Copy(master, p.Stdin) }()
		}
		c.copy(p.Stdout, master)
	}()
}

// copy passes on what is written to the terminal. A read fails with EIO when no
// process has the terminal open, which is the end only when none can open it
// again: what the last one wrote was read before that.
func (c *console) copy(out io.Writer, master *os.File) {
	if out == nil {
		out = io.Discard
	}
	to := &failing{Writer: out}
	for over := false; ; {
		_, err := io.Copy(to, master)
		if !errors.Is(err, unix.EIO) || to.failed || over {
			return // and the terminal is hung up
		}
		select {
		case <-c.ended:
			over = true // and once more, for what came in between
		case <-time.After(again):
		}
	}
}

// failing is a writer that remembers that it failed.
type failing struct {
	io.Writer
	failed bool
}

func (f *failing) Write(b []byte) (int, error) {
	n, err := f.Writer.Write(b)
	f.failed = f.failed || err != nil
	return n, err
}

// again is how long a terminal that nobody has open is left alone.
const again = 10 * time.Millisecond

// finish waits until all output has been passed on. No process is left.
func (c *console) finish() {
	close(c.ended)
	<-c.done
}

func resize(master *os.File, sizes <-chan Size, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case size, ok := <-sizes:
			if !ok {
				return
			}
			conn, err := master.SyscallConn()
			if err != nil {
				return
			}
			_ = conn.Control(func(fd uintptr) {
				_ = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: size.Height, Col: size.Width})
			})
		}
	}
}

// receive takes the master side from the socket.
func (c *console) receive() (*os.File, error) {
	name := make([]byte, unix.PathMax)
	oob := make([]byte, unix.CmsgSpace(4))
	var n, oobn int
	for {
		var err error
		n, oobn, _, _, err = unix.Recvmsg(int(c.ours.Fd()), name, oob, unix.MSG_CMSG_CLOEXEC)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.EINTR) {
			return nil, err
		}
	}
	messages, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil || len(messages) != 1 {
		return nil, fmt.Errorf("no terminal came (%d bytes): %w", n, err)
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return nil, fmt.Errorf("no terminal came: %w", err)
	}
	if err := unix.SetNonblock(fds[0], true); err != nil { // so that Close ends a read
		unix.Close(fds[0])
		return nil, err
	}
	return os.NewFile(uintptr(fds[0]), "terminal"), nil
}
