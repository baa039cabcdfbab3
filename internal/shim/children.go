//go:build linux

package shim

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// becomeParent sees to it that orphans become children of this process. It tells
// whether this is the first process of its pid namespace, so that there are no
// others than its own.
func becomeParent() (alone bool, err error) {
	if os.Getpid() == 1 {
		return true, nil
	}
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return false, fmt.Errorf("become the parent of orphans: %w", err)
	}
	return false, nil
}

// waitFor waits for all children until the process pid ends.
func waitFor(pid int) (syscall.WaitStatus, *syscall.Rusage, error) {
	for {
		var status syscall.WaitStatus
		usage := new(syscall.Rusage)
		got, err := syscall.Wait4(-1, &status, 0, usage)
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return 0, nil, fmt.Errorf("wait for the process: %w", err)
		}
		if got == pid && (status.Exited() || status.Signaled()) {
			return status, usage, nil
		}
	}
}

// endAll kills what is left of the process, and waits until it is gone.
func endAll(alone bool) error {
	for {
		var err error
		if alone {
			err = unix.Kill(-1, unix.SIGKILL) // all but this process
		} else {
			err = killChildren()
		}
		if err != nil && err != unix.ESRCH {
			return fmt.Errorf("end what the process left: %w", err)
		}
		left, reapErr := reap()
		if reapErr != nil {
			return fmt.Errorf("end what the process left: %w", reapErr)
		}
		if !left && (!alone || err == unix.ESRCH) {
			return nil
		}
		time.Sleep(time.Millisecond)
	}
}

// reap takes what has ended, and tells whether there are other children.
func reap() (left bool, err error) {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		switch {
		case err == syscall.EINTR:
		case err == syscall.ECHILD:
			return false, nil
		case err != nil:
			return false, err
		case pid == 0:
			return true, nil
		}
	}
}

// killChildren kills this process' children; theirs become its own by that.
func killChildren() error {
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return err
	}
	for _, task := range tasks {
		list, err := os.ReadFile("/proc/self/task/" + task.Name() + "/children")
		if err != nil {
			continue // the thread has ended
		}
		for word := range bytes.FieldsSeq(list) {
			if pid, err := strconv.Atoi(string(word)); err == nil && pid > 0 {
				_ = unix.Kill(pid, unix.SIGKILL)
			}
		}
	}
	return nil
}

// oomKills is how often the kernel has killed in this container for lack of memory,
// as far as it can be seen.
func oomKills() (n int) {
	for _, file := range []string{"/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"} {
		b, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		for line := range bytes.Lines(b) {
			if words := bytes.Fields(line); len(words) == 2 && string(words[0]) == "oom_kill" {
				n, _ = strconv.Atoi(string(words[1]))
			}
		}
	}
	return n
}
