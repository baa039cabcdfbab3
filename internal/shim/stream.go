//go:build linux

package shim

import (
	"errors"
	"io"
	"os"
	"time"

	"github.com/inlaybuild/inlay/internal/mask"
	"golang.org/x/sys/unix"
)

// stream is one of the process' outputs, on its way to a file and to who watches.
type stream struct {
	out, in *os.File // ends of the pipe
	file    *os.File // without a name until it is published
	show    *os.File // nil when it cannot be shown any more
	mask    *mask.Writer
	size    int64
	done    chan error
}

func newStream(o *outDir, show *os.File, secrets [][]byte) (*stream, error) {
	s := &stream{show: show, done: make(chan error, 1)}
	var err error
	if s.file, err = o.create(); err != nil {
		return nil, err
	}
	if s.out, s.in, err = os.Pipe(); err != nil {
		return nil, err
	}
	s.mask = mask.New(sink{s}, secrets)
	return s, nil
}

// sink takes what is masked.
type sink struct{ s *stream }

func (k sink) Write(b []byte) (int, error) {
	if k.s.show != nil {
		if _, err := k.s.show.Write(b); err != nil {
			k.s.show = nil // the file has it all
		}
	}
	n, err := k.s.file.Write(b)
	k.s.size += int64(n)
	return n, err
}

// copy passes on what the process writes, until nobody can write any more or the
// file cannot be written.
func (s *stream) copy() {
	err := s.pass()
	s.out.Close()
	s.done <- err
}

func (s *stream) pass() error {
	buf := make([]byte, 64<<10)
	for {
		n, err := s.out.Read(buf)
		if n > 0 {
			if _, err := s.mask.Write(buf[:n]); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return s.mask.Flush()
		case errors.Is(err, os.ErrDeadlineExceeded):
			return s.drain(buf)
		case err != nil:
			return err
		}
	}
}

// finish waits until all that was written has been passed on. No process is left.
// Should the pipe be open elsewhere all the same, that is not waited for.
func (s *stream) finish() error {
	_ = s.out.SetReadDeadline(time.Now())
	return <-s.done
}

// drain passes on what is in the pipe.
func (s *stream) drain(buf []byte) error {
	conn, err := s.out.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = conn.Control(func(fd uintptr) {
		for {
			n, err := unix.Read(int(fd), buf)
			if err == unix.EINTR {
				continue
			}
			if err == unix.EAGAIN || err == nil && n == 0 {
				return
			}
			if err == nil {
				_, err = s.mask.Write(buf[:n])
			}
			if failed = err; err != nil {
				return
			}
		}
	})
	return errors.Join(err, failed, s.mask.Flush())
}
