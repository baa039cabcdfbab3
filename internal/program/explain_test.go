//go:build linux

package program

import (
	"errors"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/inlaybuild/inlay/tree"
)

// usrMerged is a small distribution.
func usrMerged() plan {
	return plan{"/bin": link("usr/bin"), "/usr/bin/sh": bytesOf(0o755, smallELF(62, false, "/lib64/ld.so")), "/lib64/ld.so": bytesOf(0o755, smallELF(62, false, "/none"))}
}

func TestAReasonNamesWhatIsInTheWay(t *testing.T) {
	none := syscall.Errno(0)
	for _, c := range []struct {
		name  string
		plan  plan
		run   Process
		said  error
		cause Cause
		code  int
		want  string
		hint  string
	}{
		{"missing", usrMerged(), Process{Name: "/bin/bash"}, syscall.ENOENT, Missing, 127, "/bin/bash does not exist: /bin is a symlink to usr/bin, and /usr/bin/bash does not exist", ""},
		{"elsewhere", usrMerged(), Process{Name: "/opt/sh"}, syscall.ENOENT, Missing, 127, "/opt/sh does not exist: /opt does not exist", "there is /usr/bin/sh"},
		{"with a version", usrMerged().with("/usr/bin/python3.12", body(0o755, "")), Process{Name: "/usr/bin/python"}, syscall.ENOENT, Missing, 127, "/usr/bin/python does not exist", "there is /usr/bin/python3.12"},
		{"dangling", plan{"/bin": link("usr/bin")}, Process{Name: "/bin/sh"}, syscall.ENOENT, Missing, 127, "/bin/sh does not exist: /bin is a symlink to usr/bin, and /usr does not exist", ""},
		{"circle", plan{"/a": link("b"), "/b": link("/a")}, Process{Name: "/a/x"}, syscall.ELOOP, Loop, 127, "/a/x leads nowhere: too many symlinks (more than 40): /a -> b, /b -> /a, ...", ""},
		{"through a file", usrMerged(), Process{Name: "/usr/bin/sh/x"}, syscall.ENOTDIR, NotDirectory, 127, "/usr/bin/sh/x does not exist: /usr/bin/sh is a file, not a directory", ""},
		{"a directory", usrMerged(), Process{Name: "/bin"}, syscall.EACCES, IsDirectory, 126, "/bin (/usr/bin) is a directory", ""},
		{"a fifo", plan{"/f": {kind: "fifo", mode: 0o755}}, Process{Name: "/f"}, syscall.EACCES, NotRegular, 126, "/f is a fifo, not a file", ""},
		{"no x bit", plan{"/usr/bin/t": body(0o644, "x")}, Process{Name: "/usr/bin/t"}, syscall.EACCES, NotExecutable, 126, "/usr/bin/t has no x bit (mode 0644)", ""},
		{"no x bit, in PATH", plan{"/usr/bin/t": body(0o644, "x")}, Process{Name: "t"}, exec.ErrNotFound, NotExecutable, 126, "/usr/bin/t has no x bit (mode 0644)", ""},
		{"not for this user", plan{"/t": body(0o744, "x")}, Process{Name: "/t", UID: 7}, syscall.EACCES, NotExecutable, 126, "/t is not executable for user 7 (mode 0744, owner 0:0)", ""},
		{"a closed directory", plan{"/p": dir(0o700), "/p/x": body(0o755, "x")}, Process{Name: "/p/x", UID: 7}, syscall.EACCES, NotSearchable, 126, "/p/x cannot be reached by user 7: the directory /p has mode 0700 and belongs to 0:0", ""},
		{"not in PATH", plan{"/usr/bin": dir(0o755), "/bin": link("/gone")}, Process{Name: "t", Path: "/usr/bin:/opt:/bin"}, exec.ErrNotFound, NotInPath, 127, "t is in no directory of PATH (/usr/bin:/opt:/bin), of which /opt does not exist; /bin leads nowhere: /bin is a symlink to /gone, and /gone does not exist", ""},
		{"by a relative directory", plan{"/w/t": body(0o755, "x")}, Process{Name: "t", Path: ".:/w", Dir: "/w"}, exec.ErrDot, RelativePath, 127, `it is found as /w/t by the directory "." of PATH, which is not absolute`, "put absolute directories into PATH, or give the path"},
		{"no interpreter", plan{"/s": body(0o755, "#!/bin/bash -e\n")}, Process{Name: "/s"}, syscall.ENOENT, Missing, 127, "its interpreter /bin/bash (first line of /s) does not exist: /bin does not exist", ""},
		{"an interpreter without x bit", plan{"/s": body(0o755, "#!/i\n"), "/i": body(0o600, "")}, Process{Name: "/s"}, syscall.EACCES, NotExecutable, 126, "its interpreter /i (first line of /s) has no x bit (mode 0600)", ""},
		{"DOS", plan{"/s": body(0o755, "#!/bin/sh\r\n")}, Process{Name: "/s"}, syscall.ENOENT, DOSLine, 127, `the first line of /s ends in a carriage return (DOS line endings), so its interpreter would be "/bin/sh\r", which does not exist`, `write its lines with \n alone (dos2unix)`},
		{"a long line", plan{"/s": body(0o755, "#!/"+strings.Repeat("x", 300))}, Process{Name: "/s"}, syscall.ENOEXEC, BadScript, 126, "the first line of /s is longer than the 255 bytes that the kernel reads of it", ""},
		{"an empty line", plan{"/s": body(0o755, "#!\n")}, Process{Name: "/s"}, syscall.ENOEXEC, BadScript, 126, "the first line of /s names no interpreter behind its #! mark", ""},
		{"itself", plan{"/s": body(0o755, "#!/s\n")}, Process{Name: "/s"}, syscall.ELOOP, TooManyInterpreters, 126, "the interpreter of /s is a script whose interpreter is a script, and so on; the last is /s", ""},
		{"no line", plan{"/s": body(0o755, "echo\n")}, Process{Name: "/s"}, syscall.ENOEXEC, NotProgram, 126, "/s is text without a first line that names an interpreter: put #!/bin/sh there, or run the interpreter with the file as argument", ""},
		{"empty", plan{"/s": body(0o755, "")}, Process{Name: "/s"}, syscall.ENOEXEC, NotProgram, 126, "/s is empty", ""},
		{"loader", plan{"/t": bytesOf(0o755, smallELF(62, false, "/lib/ld.so"))}, Process{Name: "/t"}, syscall.ENOENT, Missing, 127, "its ELF interpreter /lib/ld.so does not exist: /lib does not exist", "put the C library that it was linked with there, or use a program that is linked statically"},
		{"loader of an interpreter", plan{"/s": body(0o755, "#!/t\n"), "/t": bytesOf(0o755, smallELF(62, false, "/ld.so"))}, Process{Name: "/s"}, syscall.ENOENT, Missing, 127, "its ELF interpreter /ld.so (of /t) does not exist", "put the C library that it was linked with there, or use a program that is linked statically"},
		{"loader for another machine", plan{"/t": bytesOf(0o755, smallELF(62, false, "/ld")), "/ld": bytesOf(0o755, smallELF(183, false, "/"))}, Process{Name: "/t"}, syscall.ELIBBAD, OtherMachine, 126, "its ELF interpreter /ld is a program for arm64, and this machine is amd64", ""},
		{"another machine", plan{"/t": bytesOf(0o755, smallELF(183, false, "/ld"))}, Process{Name: "/t"}, syscall.ENOEXEC, OtherMachine, 126, "/t is a program for arm64, and this machine is amd64", ""},
		{"a machine that this kernel lacks", plan{"/t": bytesOf(0o755, smallELF(3, true, "/ld"))}, Process{Name: "/t"}, syscall.ENOEXEC, OtherMachine, 126, "/t is a program for 386, and this machine is amd64", ""},
		{"a loader of the other machine", plan{"/t": bytesOf(0o755, smallELF(3, true, "/ld"))}, Process{Name: "/t"}, syscall.ENOENT, Missing, 127, "its ELF interpreter /ld does not exist", "put the C library that it was linked with there, or use a program that is linked statically"},
		{"odd names", plan{"/a b": body(0o644, "")}, Process{Name: "/a b"}, syscall.EACCES, NotExecutable, 126, `"/a b" has no x bit (mode 0644)`, ""},
		// What the kernel did not say is not said.
		{"another error", plan{"/t": body(0o644, "x")}, Process{Name: "/t"}, syscall.ENOENT, "", 0, "", ""},
		{"nothing wrong", usrMerged(), Process{Name: "/bin/sh"}, syscall.E2BIG, "", 0, "", ""},
		{"not known", usrMerged(), Process{Name: "/bin/sh"}, none, "", 0, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := c.plan.why(t, c.run, c.said)
			if w == nil {
				w = &Why{}
			} else if w.Code() != c.code || !errors.Is(c.said, w.Err) {
				t.Errorf("code %d, error %v", w.Code(), w.Err)
			}
			if w.Cause != c.cause || w.Text != c.want || w.Hint != c.hint {
				t.Errorf("%s: said %q, %q; want %s, %q, %q", w.Cause, w.Text, w.Hint, c.cause, c.want, c.hint)
			}
		})
	}
}

func TestAMountHidesAProgram(t *testing.T) {
	temp := Mount{Target: "/bin/", What: "a temporary directory", Entry: tree.Empty()}
	cache := Mount{Target: "/usr", What: "a cache"}
	for _, c := range []struct {
		run   Process
		said  error
		mount Mount
		want  string
	}{
		{Process{Name: "/bin/sh"}, syscall.ENOENT, temp, "/bin/sh (/usr/bin/sh) is hidden: a temporary directory is mounted at /bin/"},
		{Process{Name: "sh"}, exec.ErrNotFound, temp, "/usr/bin/sh is hidden: a temporary directory is mounted at /bin/"},
		{Process{Name: "sh"}, exec.ErrNotFound, cache, "/usr/bin/sh is hidden: a cache is mounted at /usr"},
		{Process{Name: "/bin/other"}, syscall.ENOENT, temp, "/bin/other does not exist: /bin is a symlink to usr/bin, and /usr/bin/other does not exist; a temporary directory is mounted at /bin/"},
		{Process{Name: "/bin/other"}, syscall.ENOENT, cache, ""},
		{Process{Name: "/bin/sh"}, syscall.E2BIG, cache, ""},
		{Process{Name: "/new/at/x"}, syscall.ENOENT, Mount{Target: "/new/at/mount"}, "/new/at/x does not exist"},
		{Process{Name: "./x", Dir: "/some/dir"}, syscall.ENOENT, temp, "./x does not exist: /some/dir/x does not exist"},
	} {
		got := ""
		if w := usrMerged().why(t, c.run, c.said, c.mount); w != nil {
			got = w.Text
		}
		if got != c.want {
			t.Errorf("%s: said %q, want %q", c.run.Name, got, c.want)
		}
	}
}

func TestAWorkingDirectoryThatIsNone(t *testing.T) {
	p := plan{"/etc/passwd": body(0o644, ""), "/w": link("/gone")}.complete()
	root, b := p.tree(t)
	for at, want := range map[string]string{
		"/etc/passwd":   "the working directory /etc/passwd cannot be entered: /etc/passwd is a file, not a directory",
		"/etc/passwd/x": "the working directory /etc/passwd/x cannot be entered: /etc/passwd is a file, not a directory",
		"/w":            "the working directory /w cannot be entered: /w is a symlink to /gone, and /gone does not exist",
		"/new/one":      "",
		"/etc":          "",
	} {
		w, err := ExplainDirectory(t.Context(), View{Root: root, Contents: b}, Process{Dir: at})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if w != nil {
			got = w.Text
		}
		if got != want {
			t.Errorf("%s: said %q, want %q", at, got, want)
		}
	}
}

func TestEnvIsAskedForWhatIsNotThere(t *testing.T) {
	for line, want := range map[string]string{
		"#!/usr/bin/env python\n":     "the first line of /s asks env for python, which is in no directory of PATH (/usr/bin:/opt), of which /opt does not exist",
		"#!/usr/bin/env sh\r\n":       `the first line of /s ends in a carriage return (DOS line endings), so it asks env for "sh\r", which is in no directory of PATH`,
		"#!/usr/bin/env sh\n":         "",
		"#!/usr/bin/env -S python x":  "",
		"#!/usr/bin/env A=b python\n": "",
		"#!/usr/bin/sh python\n":      "",
		"exit 127\n":                  "",
	} {
		p := usrMerged().with("/s", body(0o755, line)).with("/usr/bin/env", body(0o755, "")).complete()
		root, b := p.tree(t)
		w, err := Asks(t.Context(), View{Root: root, Contents: b}, Process{Name: "/s", Path: "/usr/bin:/opt", Arch: "amd64"})
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if w != nil {
			got = w.Text
		}
		if got != want {
			t.Errorf("%q: said %q, want %q", line, got, want)
		}
	}
}
