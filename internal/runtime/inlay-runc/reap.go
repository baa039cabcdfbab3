//go:build linux && cgo

package main

import (
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"
)

// reap waits for what has lost its parent, as the first process of a pid namespace
// must, until the process pid ends, which is left for others to wait for.
func reap(pid int) {
	for {
		var info unix.Siginfo
		err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOWAIT, nil)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		ended := pidOf(&info)
		if err != nil || ended == pid {
			return
		}
		_, _ = unix.Wait4(ended, nil, unix.WNOHANG, nil)
	}
}

// pidOf gives si_pid of what waitid(2) filled in. It stands behind three numbers, in
// a union that is aligned for pointers.
func pidOf(info *unix.Siginfo) int {
	const word = unsafe.Sizeof(uintptr(0))
	at := (unsafe.Offsetof(info.Code) + unsafe.Sizeof(info.Code) + word - 1) / word * word
	return int(*(*int32)(unsafe.Add(unsafe.Pointer(info), at)))
}
