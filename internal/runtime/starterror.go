//go:build linux

package runtime

import (
	"io/fs"
	"strings"
)

// startError makes runc's words readable, and keeps them.
func startError(program, detail string) *StartError {
	e := &StartError{Path: program, Code: 125, Detail: detail}
	says := func(what ...string) bool {
		for _, w := range what {
			if strings.Contains(detail, w) {
				return true
			}
		}
		return false
	}
	if says("seccomp not supported") {
		e.Reason = Program + " was built without seccomp: build it again with -tags seccomp (Debian: libseccomp-dev)"
		return e
	}
	e.Reason = strings.TrimPrefix(detail, "unable to start container process: ")
	e.Reason = strings.TrimPrefix(e.Reason, "error during container init: ")
	if !strings.HasPrefix(e.Reason, "exec: ") && !strings.HasPrefix(e.Reason, "exec /") {
		return e
	}
	switch {
	case says("executable file not found in $PATH"):
		e.Code, e.Err, e.Reason = 127, fs.ErrNotExist, "not found in any directory of PATH"
	case says("no such file or directory"):
		e.Code, e.Err, e.Reason = 127, fs.ErrNotExist, "it does not exist, or the interpreter it names does not"
	case says("permission denied"):
		e.Code, e.Err, e.Reason = 126, fs.ErrPermission, "it is not executable for this user"
	case says("is a directory"):
		e.Code, e.Err, e.Reason = 126, fs.ErrPermission, "it is a directory"
	case says("exec format error"):
		e.Code, e.Reason = 126, "it is not a program for this machine (exec format error)"
	}
	return e
}
