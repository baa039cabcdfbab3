package interop

import (
	"bytes"
	"debug/buildinfo"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// daemon is a buildkitd of the tests' own. Its state is in memory, and in mounts
// that nobody else sees and that end with it; it ends with this process, whatever
// way that ends.
type daemon struct {
	bin, dir, socket string
	stop, stopped    chan struct{}
	said             bytes.Buffer // by the daemon; to be read when it has stopped
	judge            *judge
}

// shared is the daemon of this process, from the first test that wants it on.
var shared struct {
	once   sync.Once
	daemon *daemon
	err    error
}

// sharedDaemon gives the daemon that all tests share.
func sharedDaemon(t testing.TB) *daemon {
	t.Helper()
	if os.Getenv("INLAY_TEST_BUILDKIT") == "" {
		t.Skip("INLAY_TEST_BUILDKIT names no directory with buildkitd, buildctl, runc and judge: scripts/test builds them")
	}
	if os.Geteuid() != 0 {
		t.Skip("buildkitd needs root here")
	}
	shared.once.Do(func() { shared.daemon, shared.err = startDaemon() })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.daemon
}

// stopShared ends the daemon, if there is one.
func stopShared() {
	if shared.daemon != nil {
		shared.daemon.close()
	}
}

func startDaemon() (*daemon, error) {
	dir, err := os.MkdirTemp("/var/tmp", "inlay-buildkit-")
	if err != nil {
		return nil, err
	}
	d := &daemon{
		bin: os.Getenv("INLAY_TEST_BUILDKIT"), dir: dir, socket: "unix://" + filepath.Join(dir, "socket"),
		stop: make(chan struct{}), stopped: make(chan struct{}),
	}
	started := make(chan error)
	go d.run(started)
	if err = <-started; err == nil {
		err = d.answers()
	}
	if err == nil {
		d.judge, err = startJudge(d)
	}
	if err != nil {
		d.close()
		return nil, fmt.Errorf("%w\n%s", err, d.said.String())
	}
	return d, nil
}

// answers waits until the daemon answers.
func (d *daemon) answers() error {
	for range 300 {
		if exec.Command(filepath.Join(d.bin, "buildctl"), "--addr", d.socket, "debug", "workers").Run() == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return errors.New("buildkitd does not answer")
}

// run runs the daemon. The thread has mounts of its own, and is the one whose
// death the daemon would not survive: it is locked to this goroutine and ends with
// it.
func (d *daemon) run(started chan<- error) {
	defer close(d.stopped)
	runtime.LockOSThread()
	state := filepath.Join(d.dir, "state")
	if err := privateMemory(state); err != nil {
		started <- err
		return
	}
	c := exec.Command(filepath.Join(d.bin, "buildkitd"), "--root", state, "--addr", d.socket,
		"--oci-worker-net", "host", "--containerd-worker=false", "--oci-worker-snapshotter", "overlayfs",
		"--allow-insecure-entitlement", "security.insecure")
	c.Env = append(os.Environ(), "PATH="+d.bin+":"+os.Getenv("PATH"))
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

func (d *daemon) close() {
	if d.judge != nil {
		d.judge.close()
	}
	close(d.stop)
	<-d.stopped
	if err := os.RemoveAll(d.dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// version gives the version of the daemon's module.
func (d *daemon) version(t testing.TB) string {
	t.Helper()
	info, err := buildinfo.ReadFile(filepath.Join(d.bin, "buildkitd"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == "github.com/moby/buildkit" {
			return m.Version
		}
	}
	t.Fatalf("buildkitd is of %s", info.Main.Path)
	return ""
}
