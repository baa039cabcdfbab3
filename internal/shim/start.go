//go:build linux

package shim

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// maxFiles is the limit of open files that docker gives.
const maxFiles = 1 << 20

// start starts the process. It does what runc does, in its order: as root the
// working directory, then as the user the search for the program.
// Sys says what is special about its session.
func (x *execution) start(streams []*os.File, sys *syscall.SysProcAttr) (int, *Start) {
	dir := x.spec.Dir
	unix.Umask(0o022)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return 0, &Start{StageDirectory, errno(err), dir, err.Error()}
	}
	if err := unix.Chdir(dir); err != nil {
		return 0, &Start{StageDirectory, errno(err), dir, fmt.Sprintf("chdir to cwd (%q) set in config.json failed: %v", dir, err)}
	}
	name, err := x.find()
	if err != nil {
		return 0, &Start{lookStage(err), errno(err), x.spec.Args[0], err.Error()}
	}
	sys.Credential = x.spec.User.credential()
	attr := &syscall.ProcAttr{Env: x.env, Sys: sys}
	for _, f := range streams {
		giveTo(f, x.spec.User.UID)
		attr.Files = append(attr.Files, f.Fd())
	}
	limitFiles()
	pid, err := syscall.ForkExec(name, x.spec.Args, attr)
	runtime.KeepAlive(streams)
	if err == nil {
		return pid, nil
	}
	if no := x.cannotBecome(); no != nil {
		return 0, &Start{StagePlace, errno(no), "", "unable to setup user: " + no.Error()}
	}
	return 0, &Start{StageProgram, errno(err), name, (&os.PathError{Op: "exec", Path: name, Err: err}).Error()}
}

// credential is that of the user; nil for who runs this, which is root. Not every
// namespace lets root set groups.
func (u User) credential() *syscall.Credential {
	if groups, err := os.Getgroups(); err == nil && len(groups) == 0 && u.UID == 0 && u.GID == 0 && len(u.Groups) == 0 {
		return nil
	}
	return &syscall.Credential{Uid: u.UID, Gid: u.GID, Groups: u.Groups, NoSetGroups: os.Geteuid() != 0}
}

// find looks the program up as the user sees it.
func (x *execution) find() (name string, err error) {
	os.Unsetenv("PATH")
	for _, v := range x.env {
		if value, ok := strings.CutPrefix(v, "PATH="); ok {
			os.Setenv("PATH", value)
		}
	}
	err = x.spec.User.do(func() error {
		name, err = exec.LookPath(x.spec.Args[0])
		return err
	})
	return name, err
}

// errUser is the error of who cannot become the user.
var errUser = errors.New("unable to setup user")

func lookStage(err error) Stage {
	if errors.Is(err, errUser) {
		return StagePlace
	}
	return StageProgram
}

// do calls f with the rights of the user, on a thread that ends with it.
func (u User) do(f func() error) error {
	if os.Geteuid() != 0 || u.UID == 0 && u.GID == 0 && len(u.Groups) == 0 {
		return f()
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := u.become()
		if err == nil {
			err = f()
		}
		done <- err
	}()
	return <-done
}

// become makes the calling thread the user, as far as rights are concerned.
func (u User) become() error {
	const same = ^uintptr(0)
	groups := unsafe.SliceData(u.Groups)
	for _, call := range []struct {
		name    string
		trap    uintptr
		a, b, c uintptr
	}{
		{"setgroups", unix.SYS_SETGROUPS, uintptr(len(u.Groups)), uintptr(unsafe.Pointer(groups)), 0},
		{"setresgid", unix.SYS_SETRESGID, same, uintptr(u.GID), same},
		{"setresuid", unix.SYS_SETRESUID, same, uintptr(u.UID), same},
	} {
		if _, _, errno := unix.RawSyscall(call.trap, call.a, call.b, call.c); errno != 0 {
			return fmt.Errorf("%w: %s: %w", errUser, call.name, errno)
		}
	}
	runtime.KeepAlive(u.Groups)
	return nil
}

// cannotBecome tells, after a start that failed, whether that was because this
// process may not become the user: then nothing else can be started as that either.
func (x *execution) cannotBecome() error {
	return x.spec.User.do(func() error { return nil })
}

// giveTo makes a stream the user's, so that it can be opened again by its name in
// /proc. As runc has it: what cannot be given is left as it is.
func giveTo(f *os.File, uid uint32) {
	var st unix.Stat_t
	if unix.Fstat(int(f.Fd()), &st) != nil {
		return
	}
	if _, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS); err == nil || st.Mode&unix.S_IFMT == unix.S_IFIFO {
		_ = f.Chown(int(uid), -1)
	}
}

// closeOnExec keeps all files but the streams from programs that are executed.
func closeOnExec() error {
	err := unix.CloseRange(3, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)
	if err == nil {
		return nil
	}
	// The kernel is older than 5.11, or a sandbox forbids it.
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return err
	}
	for _, n := range names {
		if fd, err := strconv.Atoi(n.Name()); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}

// limitFiles gives the process the limit of open files that it has elsewhere, or
// what there is.
func limitFiles() {
	var own syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &own) == nil {
		n := min(own.Max, maxFiles)
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: n, Max: n})
	}
}

func errno(err error) int {
	var n syscall.Errno
	if errors.As(err, &n) {
		return int(n)
	}
	return 0
}

// code is what a shell would exit with.
func (s *Start) code() int {
	if s.Stage != StageProgram {
		return 125
	}
	switch n := syscall.Errno(s.Errno); {
	case n == 0, errors.Is(n, fs.ErrNotExist), n == unix.ENOTDIR, n == unix.ELOOP, n == unix.ENAMETOOLONG:
		return 127
	}
	return 126
}
