//go:build linux

package mount

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Layer is a lower directory of an overlay: by descriptor, or by path when Dir
// is not empty.
type Layer struct {
	Fd  int
	Dir string
}

// Layer gives the mount as a lower directory.
func (m *Mount) Layer() Layer { return Layer{Fd: m.fd} }

// Overlay is an overlay to be mounted.
type Overlay struct {
	Lower []Layer // the uppermost first, at least one and at most 500
	Data  []Layer // lower directories of which only the content of files is used
	Upper string  // the writable directory; none when empty
	Work  string  // an empty directory on the same file system; wanted with Upper
	// Options are "key=value" or "flag", each at most 255 bytes.
	Options []string
}

// Mount mounts the overlay, in no directory.
func (o Overlay) Mount() (*Mount, error) {
	c, err := open("overlay")
	if err != nil {
		return nil, err
	}
	defer c.close()
	for _, l := range o.Lower {
		if err := c.layer("lowerdir+", l); err != nil {
			return nil, err
		}
	}
	for _, l := range o.Data {
		if err := c.layer("datadir+", l); err != nil {
			return nil, err
		}
	}
	attributes := unix.MOUNT_ATTR_RDONLY
	if o.Upper != "" {
		attributes = 0
		if err := c.dir("upperdir", o.Upper); err != nil {
			return nil, err
		}
		if err := c.dir("workdir", o.Work); err != nil {
			return nil, err
		}
	}
	for _, option := range o.Options {
		if err := c.option(option); err != nil {
			return nil, err
		}
	}
	if err := c.text("source", "inlay"); err != nil {
		return nil, err
	}
	return c.mount(attributes)
}

func (c *config) option(option string) error {
	for i := range len(option) {
		if option[i] == '=' {
			return c.text(option[:i], option[i+1:])
		}
	}
	return c.flag(option)
}

// layer adds a lower directory by its descriptor or, where the kernel takes none
// (before 6.13), by the path that every process has for its descriptors.
func (c *config) layer(key string, l Layer) error {
	if l.Dir != "" {
		return c.dir(key, l.Dir)
	}
	if c.file(key, l.Fd) == nil {
		return nil
	}
	return c.text(key, fmt.Sprintf("/proc/self/fd/%d", l.Fd))
}

// dir sets a directory by descriptor too: so its path may have any length and
// any character.
func (c *config) dir(key, dir string) error {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: dir, Err: err}
	}
	defer unix.Close(fd)
	return c.layer(key, Layer{Fd: fd})
}
