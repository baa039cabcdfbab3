// Package daemontest starts BuildKit daemons for tests.
package daemontest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Directory is the variable that names the directory with buildkitd, buildctl and
// runc.
const Directory = "INLAY_TEST_BUILDKIT"

// Daemon is a buildkitd of the tests' own. Its state is in memory, and in mounts
// that nobody else sees and that end with it; it ends with this process, whatever
// way that ends.
type Daemon struct {
	Bin     string // the directory of the programs
	Dir     string // a directory of its own
	Address string

	stop, kill, stopped chan struct{}
	said                bytes.Buffer // by the daemon; to be read when it has stopped
}

// Skip skips a test where no daemon can be started.
func Skip(t testing.TB) {
	t.Helper()
	if os.Getenv(Directory) == "" {
		t.Skip(Directory + " names no directory with buildkitd, buildctl and runc: scripts/test builds them")
	}
	if os.Geteuid() != 0 {
		t.Skip("buildkitd needs root here")
	}
}

// Start starts a daemon with further arguments, and waits until it answers.
func Start(args ...string) (*Daemon, error) {
	dir, err := os.MkdirTemp("/var/tmp", "inlay-buildkit-")
	if err != nil {
		return nil, err
	}
	d := &Daemon{
		Bin: os.Getenv(Directory), Dir: dir, Address: "unix://" + filepath.Join(dir, "socket"),
		stop: make(chan struct{}), kill: make(chan struct{}), stopped: make(chan struct{}),
	}
	started := make(chan error)
	go d.run(started, args)
	if err = <-started; err == nil {
		err = d.answers()
	}
	if err != nil {
		d.Close()
		return nil, fmt.Errorf("%w\n%s", err, d.said.String())
	}
	return d, nil
}

// answers waits until the daemon answers.
func (d *Daemon) answers() error {
	for range 300 {
		if exec.Command(filepath.Join(d.Bin, "buildctl"), "--addr", d.Address, "debug", "workers").Run() == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return errors.New("buildkitd does not answer")
}

// run runs the daemon. The thread has mounts of its own, and is the one whose
// death the daemon would not survive: it is locked to this goroutine and ends with
// it.
func (d *Daemon) run(started chan<- error, args []string) {
	defer close(d.stopped)
	runtime.LockOSThread()
	state := filepath.Join(d.Dir, "state")
	if err := privateMemory(state); err != nil {
		started <- err
		return
	}
	temp := filepath.Join(d.Dir, "tmp") // it leaves directories there
	if err := os.Mkdir(temp, 0o700); err != nil {
		started <- err
		return
	}
	c := exec.Command(filepath.Join(d.Bin, "buildkitd"), append([]string{
		"--root", state, "--addr", d.Address, "--oci-worker-net", "host", "--containerd-worker=false",
		"--oci-worker-snapshotter", "overlayfs", "--allow-insecure-entitlement", "security.insecure",
	}, args...)...)
	c.Env = append(os.Environ(), "PATH="+d.Bin+":"+os.Getenv("PATH"), "TMPDIR="+temp)
	c.Stdout, c.Stderr = &d.said, &d.said
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	err := c.Start()
	started <- err
	if err != nil {
		return
	}
	done := make(chan struct{})
	go func() {
		select {
		case <-d.stop:
			c.Process.Signal(syscall.SIGTERM)
		case <-d.kill:
			c.Process.Kill()
		case <-done:
			return
		}
		select {
		case <-done:
		case <-time.After(20 * time.Second):
			c.Process.Kill()
		}
	}()
	c.Wait()
	close(done)
}

// privateMemory makes a directory of memory that this thread alone sees, with
// its children; on disk where the kernel's tmpfs cannot hold what trees hold.
func privateMemory(dir string) error {
	if err := os.Mkdir(dir, 0o700); err != nil {
		return err
	}
	if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=0700"); err != nil {
		return fmt.Errorf("mount tmpfs: %w", err)
	}
	if err := unix.Setxattr(dir, "user.test", []byte("1"), 0); err != nil {
		return unix.Unmount(dir, 0)
	}
	return unix.Removexattr(dir, "user.test")
}

// Close ends the daemon, and waits for its end.
func (d *Daemon) Close() {
	close(d.stop)
	<-d.stopped
	if err := os.RemoveAll(d.Dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// Kill ends the daemon at once, as a machine that is lost does. It is closed all the
// same later.
func (d *Daemon) Kill() {
	close(d.kill)
	<-d.stopped
}
