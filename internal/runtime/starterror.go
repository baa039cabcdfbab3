//go:build linux

package runtime

import (
	"errors"
	"io/fs"
	"os/exec"
	"strings"
	"syscall"
)

// NotStarted gives the error of a program that was run elsewhere, as this package
// runs one, and did not start. Detail is the reason in runc's words.
func NotStarted(program, detail string) *StartError { return startError(program, detail) }

// startError makes runc's words readable, and keeps them.
func startError(program, detail string) *StartError {
	e := &StartError{Path: program, Code: 125, Detail: detail}
	if strings.Contains(detail, "seccomp not supported") {
		e.Reason = Program + " was built without seccomp: build it again with -tags seccomp (Debian: libseccomp-dev)"
		return e
	}
	e.Reason = strings.TrimPrefix(detail, "unable to start container process: ")
	e.Reason = strings.TrimPrefix(e.Reason, "error during container init: ")
	errno := lastErrno(e.Reason)
	switch {
	case strings.HasPrefix(e.Reason, "mkdir ") && errno != 0, strings.HasPrefix(e.Reason, "chdir to cwd "):
		e.Stage, e.Err = StageDirectory, errno
		return e
	case !strings.HasPrefix(e.Reason, "exec: ") && !strings.HasPrefix(e.Reason, "exec "):
		return e
	}
	e.Stage = StageProgram
	e.explain(errno)
	return e
}

// explain says what an error of the search for the program, or of execve(2),
// means, as far as the number alone tells.
func (e *StartError) explain(errno syscall.Errno) {
	e.Code = 126
	switch {
	case strings.HasSuffix(e.Reason, "executable file not found in $PATH"):
		e.Code, e.Err, e.Reason = 127, errors.Join(exec.ErrNotFound, fs.ErrNotExist), "not found in any directory of PATH"
		return
	case strings.HasSuffix(e.Reason, exec.ErrDot.Error()):
		e.Code, e.Err, e.Reason = 127, exec.ErrDot, "only a directory of PATH that is not absolute has it"
		return
	case errno == 0:
		return
	}
	e.Err = errno
	switch errno {
	case syscall.ENOENT:
		e.Code, e.Reason = 127, "it does not exist, or the interpreter it names does not"
	case syscall.ENOTDIR:
		e.Code, e.Reason = 127, "its path leads through something that is not a directory"
	case syscall.ELOOP:
		e.Code, e.Reason = 127, "its path leads through too many symlinks, or its interpreter is a script again and again"
	case syscall.ENAMETOOLONG:
		e.Code, e.Reason = 127, "its path is too long"
	case syscall.EACCES:
		e.Reason = "it is not executable for this user"
	case syscall.EISDIR: // what the kernel calls EACCES
		e.Err, e.Reason = syscall.EACCES, "it is a directory"
	case syscall.ENOEXEC:
		e.Reason = "it is not a program for this machine (exec format error)"
	}
}

// lastErrno finds the number of the error that a message ends in; 0 if it ends in
// none that is known.
func lastErrno(text string) syscall.Errno {
	for _, n := range []syscall.Errno{
		syscall.ENOENT, syscall.EACCES, syscall.ENOTDIR, syscall.EISDIR, syscall.ELOOP, syscall.ENAMETOOLONG,
		syscall.ENOEXEC, syscall.ELIBBAD, syscall.EEXIST, syscall.EPERM, syscall.EIO, syscall.EINVAL, syscall.ENOMEM,
		syscall.E2BIG, syscall.ETXTBSY, syscall.EROFS, syscall.ENOSPC,
	} {
		if strings.HasSuffix(text, ": "+n.Error()) {
			return n
		}
	}
	return 0
}
