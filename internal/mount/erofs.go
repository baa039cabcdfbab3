//go:build linux

package mount

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Image mounts an image of EROFS straight from its file, read-only: Linux 6.12.
// The file may have no name any more; the mount keeps it. Files of some file
// systems (tmpfs, overlayfs) are refused.
func Image(f *os.File) (*Mount, error) {
	return image(fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
}

// ImageByLoop mounts an image of EROFS through a loop device, read-only. The
// device is given back by the kernel when the mount is gone.
func ImageByLoop(f *os.File) (*Mount, error) {
	l, err := openLoop(f)
	if err != nil {
		return nil, err
	}
	defer l.Close() // the mount holds the device from now on
	return image(l.Name())
}

func image(source string) (*Mount, error) {
	c, err := open("erofs")
	if err != nil {
		return nil, err
	}
	defer c.close()
	if err := c.text("source", source); err != nil {
		return nil, err
	}
	if err := c.flag("ro"); err != nil {
		return nil, err
	}
	return c.mount(unix.MOUNT_ATTR_RDONLY)
}
