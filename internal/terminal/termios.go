//go:build linux

package terminal

import (
	"os"

	"golang.org/x/sys/unix"
)

func termios(f *os.File) (*unix.Termios, error) {
	return unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
}

func setTermios(f *os.File, t *unix.Termios) error {
	for {
		if err := unix.IoctlSetTermios(int(f.Fd()), unix.TCSETS, t); err != unix.EINTR {
			return err
		}
	}
}

// raw gives a terminal that does nothing of its own: cfmakeraw(3).
func raw(t unix.Termios) unix.Termios {
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag &^= unix.CSIZE | unix.PARENB
	t.Cflag |= unix.CS8
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return t
}
