//go:build linux

package mount

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// Namespace is a mount namespace of this process' own. What is attached in it
// is seen by nobody else, and is gone when the process is: a kill leaves no
// mount. A nil *Namespace stands for the namespace that the process started in.
type Namespace struct {
	calls chan func()
	file  *os.File
	root  *os.File // what was the root when the namespace was made, in it
}

// NewNamespace makes a copy of the calling thread's mount namespace. It costs a
// thread and, once, about a microsecond a mount.
func NewNamespace() (*Namespace, error) {
	n := &Namespace{calls: make(chan func())}
	made := make(chan error)
	go func() {
		// Never unlocked: a thread in another namespace must not run anything
		// else, so it ends with this function.
		runtime.LockOSThread()
		err := n.init()
		made <- err
		if err != nil {
			return
		}
		for f := range n.calls {
			f()
		}
	}()
	if err := <-made; err != nil {
		return nil, fmt.Errorf("mount namespace: %w", err)
	}
	return n, nil
}

func (n *Namespace) init() error {
	if err := unix.Unshare(unix.CLONE_NEWNS | unix.CLONE_FS); err != nil {
		return os.NewSyscallError("unshare", err)
	}
	// Mounts and unmounts of the host still reach it, ours do not reach the host.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return os.NewSyscallError("mount", err)
	}
	root, err := os.OpenFile("/", unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	f, err := os.Open("/proc/thread-self/ns/mnt")
	if err != nil {
		root.Close()
		return err
	}
	n.file, n.root = f, root
	return nil
}

// Do calls f on a thread that is in the namespace. A process that f starts is in
// it too.
func (n *Namespace) Do(f func() error) error {
	if n == nil {
		return f()
	}
	var err error
	done := make(chan struct{})
	n.calls <- func() {
		defer close(done)
		err = f()
	}
	<-done
	return err
}

// Enter moves the calling thread into the namespace. The goroutine must have
// locked its thread, and must never unlock it.
func (n *Namespace) Enter() error {
	if n == nil {
		return nil
	}
	if err := unix.Unshare(unix.CLONE_FS); err != nil {
		return fmt.Errorf("mount namespace: %w", os.NewSyscallError("unshare", err))
	}
	if err := unix.Setns(int(n.file.Fd()), unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("mount namespace: %w", os.NewSyscallError("setns", err))
	}
	// That made the namespace's own root the thread's; a process that was put
	// into a part of it by chroot or pivot_root stays there.
	if err := unix.Fchdir(int(n.root.Fd())); err != nil {
		return fmt.Errorf("mount namespace: %w", os.NewSyscallError("fchdir", err))
	}
	if err := unix.Chroot("."); err != nil {
		return fmt.Errorf("mount namespace: %w", os.NewSyscallError("chroot", err))
	}
	return nil
}

// Close gives the namespace up. It ends, and with it all that is attached in it,
// when the processes in it have ended.
func (n *Namespace) Close() error {
	if n == nil {
		return nil
	}
	close(n.calls)
	return errors.Join(n.file.Close(), n.root.Close())
}
