//go:build linux

package mount

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// openLoop gives a loop device of f, open. It is read-only and clears itself
// when the last who has it open closes it, a mount included: a process that dies
// leaves none.
func openLoop(f *os.File) (*os.File, error) {
	control, err := os.OpenFile("/dev/loop-control", os.O_RDWR, 0)
	if err != nil {
		return nil, fmt.Errorf("loop device: %w", err)
	}
	defer control.Close()
	config := unix.LoopConfig{Fd: uint32(f.Fd())}
	config.Info.Flags = unix.LO_FLAGS_READ_ONLY | unix.LO_FLAGS_AUTOCLEAR
	for range 64 {
		n, err := unix.IoctlRetInt(int(control.Fd()), unix.LOOP_CTL_GET_FREE)
		if err != nil {
			return nil, fmt.Errorf("loop device: %w", os.NewSyscallError("LOOP_CTL_GET_FREE", err))
		}
		l, err := os.OpenFile(fmt.Sprintf("/dev/loop%d", n), os.O_RDONLY, 0)
		if err != nil {
			return nil, fmt.Errorf("loop device: %w", err)
		}
		err = unix.IoctlLoopConfigure(int(l.Fd()), &config)
		if err == nil {
			return l, nil
		}
		l.Close()
		if !errors.Is(err, unix.EBUSY) { // another process was faster
			return nil, fmt.Errorf("loop device: %w", os.NewSyscallError("LOOP_CONFIGURE", err))
		}
	}
	return nil, fmt.Errorf("loop device: %w: others took 64 of them first", unix.EBUSY)
}
