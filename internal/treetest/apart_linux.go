package treetest

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Apart calls a function on a thread that has mounts, a root and a working
// directory of its own, and gives it an empty directory of a file system in
// memory. Devices cannot be opened there, so that no program under test writes
// to one by accident. All is gone when the function returns. It needs root.
//
// The function may start processes, which see what the thread sees. It must not
// call what has to be called by the test's own goroutine: it gives an error.
func Apart(f func(dir string) error) error {
	at, err := os.MkdirTemp("", "inlay-apart-")
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // for good: the thread ends with the goroutine
		done <- apart(at, f)
	}()
	return errors.Join(<-done, os.Remove(at))
}

func apart(at string, f func(string) error) error {
	if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Mount("tmpfs", at, "tmpfs", unix.MS_NODEV, "mode=0755"); err != nil {
		return fmt.Errorf("mount tmpfs: %w", err)
	}
	return errors.Join(f(at), unix.Unmount(at, unix.MNT_DETACH))
}

// InRoot calls a function with a directory as the root and the working
// directory, on a thread of [Apart].
func InRoot(dir string, f func() error) error {
	host, err := unix.Open("/", unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(host)
	if err := unix.Chroot(dir); err != nil {
		return fmt.Errorf("chroot: %w", err)
	}
	defer func() {
		if unix.Fchdir(host) != nil || unix.Chroot(".") != nil {
			panic("no way back from a chroot")
		}
	}()
	if err := unix.Chdir("/"); err != nil {
		return err
	}
	return f()
}
