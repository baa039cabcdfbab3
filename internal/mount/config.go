//go:build linux

package mount

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// config is a file system that is being set up (fsopen(2)).
type config struct {
	kind string
	fd   int
}

func open(kind string) (*config, error) {
	fd, err := unix.Fsopen(kind, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("mount %s: %w", kind, os.NewSyscallError("fsopen", err))
	}
	return &config{kind, fd}, nil
}

func (c *config) close() { unix.Close(c.fd) }

func (c *config) text(key, value string) error {
	return c.wrap(key+"="+value, unix.FsconfigSetString(c.fd, key, value))
}

func (c *config) flag(key string) error {
	return c.wrap(key, unix.FsconfigSetFlag(c.fd, key))
}

func (c *config) file(key string, fd int) error {
	return c.wrap(key, unix.FsconfigSetFd(c.fd, key, fd))
}

// mount makes the file system, and a mount of it that is in no directory.
func (c *config) mount(attributes int) (*Mount, error) {
	if err := c.wrap("create", unix.FsconfigCreate(c.fd)); err != nil {
		return nil, err
	}
	fd, err := unix.Fsmount(c.fd, unix.FSMOUNT_CLOEXEC, attributes)
	if err != nil {
		return nil, c.wrap("fsmount", err)
	}
	return &Mount{fd}, nil
}

// wrap adds to an error what the kernel says about it: it is read from the
// descriptor, one message at a time.
func (c *config) wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	var said []string
	b := make([]byte, 4096)
	for range 16 {
		n, err := unix.Read(c.fd, b)
		if err != nil || n <= 0 {
			break
		}
		said = append(said, strings.TrimSpace(string(b[:n])))
	}
	if len(said) == 0 {
		return fmt.Errorf("mount %s: %s: %w", c.kind, what, err)
	}
	return fmt.Errorf("mount %s: %s: %w (%s)", c.kind, what, err, strings.Join(said, "; "))
}
