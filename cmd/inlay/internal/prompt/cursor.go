package prompt

import (
	"bytes"
	"os"
	"regexp"
	"time"

	"golang.org/x/sys/unix"
)

// answering is the terminal of a line editor that asks where the cursor is before each
// line, and waits for the answer. One that gives none in time is not asked again: the
// cursor is taken to be at the start of a line then.
type answering struct {
	in, out *os.File
	until   time.Time // when the answer is late; zero if none is waited for
	tail    []byte    // the last bytes that were read, which may be a part of it
	silent  bool      // it was late
}

// longest is up to how many bytes an answer has.
const longest = 32

// inTime is how long an answer may take, also from far away.
const inTime = time.Second

var (
	question   = []byte("\x1b[6n") // a device status report: where is the cursor?
	answer     = regexp.MustCompile(`\x1b\[[0-9]+;[0-9]+R`)
	atTheStart = "\x1b[1;1R"
)

// Write writes to the terminal. The editor does not read meanwhile.
func (a *answering) Write(b []byte) (int, error) {
	if bytes.Equal(b, question) {
		a.until = time.Now()
		if a.silent {
			return len(b), nil
		}
		a.until = a.until.Add(inTime)
	}
	return a.out.Write(b)
}

// Read reads what was typed, and the answer.
func (a *answering) Read(b []byte) (int, error) {
	if !a.until.IsZero() && !a.readable(time.Until(a.until)) {
		a.until, a.silent, a.tail = time.Time{}, true, nil
		return copy(b, atTheStart), nil
	}
	n, err := a.in.Read(b)
	if a.until.IsZero() {
		return n, err
	}
	a.tail = append(a.tail, b[:n]...)
	if answer.Match(a.tail) {
		a.until, a.tail = time.Time{}, nil
	}
	a.tail = a.tail[max(0, len(a.tail)-longest):]
	return n, err
}

// readable waits until there is something to read; false if there is nothing in time.
func (a *answering) readable(wait time.Duration) bool {
	for end := time.Now().Add(wait); ; {
		left := max(0, time.Until(end))
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(a.in.Fd()), Events: unix.POLLIN}}, int(left.Milliseconds()))
		if err == unix.EINTR {
			continue
		}
		return n != 0 || err != nil // an error is for the read to tell
	}
}
