//go:build linux

package shim_test

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/internal/runtime"
	"github.com/inlaybuild/inlay/internal/shim"
	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sys/unix"
)

func TestTheProcessGetsWhatWasAskedFor(t *testing.T) {
	c := newContainer(t)
	s := sh(`printf '%s|%s|' "$A" "$(pwd)"; id -u; id -g; id -G; echo "$0:$1"; umask; stat -c '%U %a' /srv /srv/deep`)
	s.Args = append(s.Args, "zero", "one \xff two")
	s.Env = append(s.Env, "A=first", "A=a=b c")
	s.Dir = "/srv/deep"
	s.User = shim.User{UID: 1234, GID: 2345, Groups: []uint32{7, 9}}
	if out, want := c.output(s), "a=b c|/srv/deep|1234\n2345\n2345 7 9\nzero:one \xff two\n0022\nUNKNOWN 755\nUNKNOWN 755\n"; out != want {
		t.Errorf("got %q, want %q", out, want)
	}
	c.env = []string{"OTHER=1", "SECRET=hush"}
	s = shim.Spec{Args: []string{"env"}, Env: []string{"PATH=/bin", "X=1"}}
	if out := c.output(s); out != "PATH=/bin\nX=1\n" {
		t.Errorf("variables: %q", out)
	}
}

func TestStreamsAreSeparateAndWhole(t *testing.T) {
	c := newContainer(t)
	in := strings.Repeat("0123456789abcde\n", 1<<16)
	c.write("in", in)
	s := sh("echo to-err >&2; cat")
	s.Stdin = "/in"
	r := c.run(s)
	if r.stdout != in || r.stderr != "to-err\n" || r.shown != in || r.told != "to-err\n" {
		t.Errorf("%d and %d bytes of %d; standard error %q and %q", len(r.stdout), len(r.shown), len(in), r.stderr, r.told)
	}
	if out := c.output(sh("cat; echo end")); out != "end\n" {
		t.Errorf("without input: %q", out)
	}
	s = sh("true") // and nobody reads
	s.Stdin = "/in"
	c.output(s)
	s = sh("cat /dev/fd/0; echo x > /proc/self/fd/1; echo y > /proc/self/fd/2")
	must(t, os.Symlink("/proc/self/fd", filepath.Join(c.root, "dev/fd")))
	s.User, s.Stdin = shim.User{UID: 1000, GID: 1000}, "/.inlay/spec"
	if r := c.run(s); r.exit.Code != 0 || !strings.HasSuffix(r.stdout, "x\n") || r.stderr != "y\n" {
		t.Errorf("an ordinary user opens its streams again: %+v, %q, %q", r.exit, r.stdout, r.stderr)
	}
}

func TestAFlood(t *testing.T) {
	c := newContainer(t)
	r := c.run(sh("head -c 8000000 /dev/zero & head -c 8000000 /dev/zero >&2; wait"))
	if len(r.stdout) != 8e6 || len(r.stderr) != 8e6 || len(r.shown) != 8e6 || len(r.told) != 8e6 {
		t.Errorf("%d %d %d %d", len(r.stdout), len(r.stderr), len(r.shown), len(r.told))
	}
}

func TestNobodyNeedsToWatch(t *testing.T) {
	c := newContainer(t)
	out, in, err := os.Pipe()
	must(t, err)
	must(t, out.Close())
	c.show = in
	defer in.Close()
	r := c.run(sh("seq 100000; echo end >&2"))
	if !strings.HasSuffix(r.stdout, "\n100000\n") || r.stderr != "end\n" {
		t.Errorf("%d bytes, %q", len(r.stdout), r.stderr)
	}
}

func TestWhatTheProcessLeavesRunningEnds(t *testing.T) {
	c := newContainer(t)
	mark := marked(1)
	started := time.Now()
	r := c.run(sh(`(setsid sleep ` + mark + `; echo late) & (trap '' TERM HUP INT; setsid sh -c 'while :; do sleep ` + mark + ` & sleep 0.01; done' &)
		(sleep 0.01 & sleep 0.02 & exec true) & echo early; sleep 0.1; exit 4`))
	if r.exit.Code != 4 || r.stdout != "early\n" || time.Since(started) > 20*time.Second {
		t.Errorf("%+v %q", r.exit, r.stdout)
	}
	if running("sleep\x00" + mark) {
		t.Error("something is left")
	}
}

func TestExitCodesAndSignals(t *testing.T) {
	c := newContainer(t)
	for script, want := range map[string]shim.Exit{
		"exit 0": {}, "exit 7": {Code: 7}, "exit 255": {Code: 255}, "exit 137": {Code: 137},
		"kill -9 $$":   {Code: 137, Signal: 9},
		"kill -TERM 0": {Code: 143, Signal: 15},
		"exec sh -c 'sleep 20 & exec kill -9 -1; wait'": {},
		"kill -9 1; exit 3":                             {Code: 3},
	} {
		r := c.run(sh(script))
		if r.exit.Code != want.Code || r.exit.Signal != want.Signal || r.exit.Start != nil || r.exit.ElapsedNano <= 0 || r.exit.MaxRSS == 0 {
			t.Errorf("%s: %+v", script, r.exit)
		}
	}
}

// programs are those that do not start, and why.
func programs(c *container) []shim.Spec {
	t := c.t
	must(t, os.WriteFile(filepath.Join(c.root, "bin/noexec"), []byte("x"), 0o644))
	must(t, os.WriteFile(filepath.Join(c.root, "bin/nointerpreter"), []byte("#!/no/such\n"), 0o755))
	must(t, os.Symlink("circle", filepath.Join(c.root, "bin/circle")))
	must(t, os.WriteFile(filepath.Join(c.root, "bin/garbage"), []byte("\x01\x02garbage"), 0o755))
	must(t, os.WriteFile(filepath.Join(c.root, "bin/empty"), nil, 0o755))
	must(t, os.Mkdir(filepath.Join(c.root, "closed"), 0o700))
	c.lend(filepath.Join(c.root, "bin/busybox"), "closed/only")
	must(t, os.WriteFile(filepath.Join(c.root, "bin/mine"), []byte("#!/bin/sh\n"), 0o700))
	user := shim.User{UID: 1000, GID: 1000}
	path := []string{"PATH=/closed:/bin"}
	return []shim.Spec{
		{Args: []string{"/bin/absent"}}, {Args: []string{"absent"}, Env: path}, {Args: []string{"absent"}},
		{Args: []string{"/bin/noexec"}}, {Args: []string{"noexec"}, Env: path}, {Args: []string{"/bin/nointerpreter"}},
		{Args: []string{"nointerpreter"}, Env: path},
		{Args: []string{"/bin"}}, {Args: []string{"/bin/garbage"}}, {Args: []string{"/bin/empty"}}, {Args: []string{"/bin/sh/"}},
		{Args: []string{"/bin/circle"}}, {Args: []string{"bin/absent"}}, {Args: []string{"sh"}, Env: []string{"PATH=bin"}},
		{Args: []string{"only"}, Env: path, User: user}, {Args: []string{"/closed/only"}, User: user},
		{Args: []string{"mine"}, Env: path, User: user}, {Args: []string{"/bin/mine"}, User: user},
		{Args: []string{"/bin/" + strings.Repeat("x", 300)}}, {Args: []string{"/bin/true"}, Env: []string{"X=" + strings.Repeat("x", 200_000)}},
		{Args: []string{"/bin/true"}, Dir: "/bin/busybox"}, {Args: []string{"/bin/true"}, Dir: "/bin/busybox/x"},
		{Args: []string{"/bin/true"}, Dir: "/bin/circle"}, {Args: []string{"/bin/true"}, Dir: "/" + strings.Repeat("d", 300)},
	}
}

// Why a process does not start is said in the same words as elsewhere.
func TestCannotStart(t *testing.T) {
	c := newContainer(t)
	compared := 0
	for _, s := range programs(c) {
		what := fmt.Sprintf("%.40q %.20q %.40q %d", s.Args, s.Env, s.Dir, s.User.UID)
		r := c.run(s)
		if r.exit.Start == nil || r.stdout != "" || r.stderr != "" || r.told != "" {
			t.Errorf("%s: %+v, output %q, %q", what, r.exit, r.stdout, r.stderr+r.told)
			continue
		}
		got := runtime.NotStarted(s.Args[0], r.exit.Start.Detail)
		t.Logf("%s: %d %v", what, got.Code, got)
		no := syscall.Errno(r.exit.Start.Errno)
		if got.Code != r.exit.Code || int(got.Stage) != int(r.exit.Start.Stage) || no != 0 && !errors.Is(got.Err, no) && no != unix.EISDIR {
			t.Errorf("%s: %+v %+v says %+v", what, r.exit, r.exit.Start, got)
		}
		_, err, ok := c.elsewhere(s)
		if !ok {
			continue
		}
		compared++
		var want *runtime.StartError
		if !errors.As(err, &want) {
			t.Errorf("%s: elsewhere %v", what, err)
			continue
		}
		if want.Reason != got.Reason || want.Code != got.Code || want.Stage != got.Stage || !errors.Is(want.Err, got.Err) && fmt.Sprint(want.Err) != fmt.Sprint(got.Err) {
			t.Errorf("%s: %+v, elsewhere %+v", what, got, want)
		}
	}
	t.Logf("%d compared with package runtime", compared)
}

func TestTheUserIsWhoLooksForTheProgram(t *testing.T) {
	c := newContainer(t)
	must(t, os.Mkdir(filepath.Join(c.root, "first"), 0o750))
	must(t, os.Chown(filepath.Join(c.root, "first"), 0, 7))
	must(t, os.WriteFile(filepath.Join(c.root, "first/tool"), []byte("#!/bin/sh\necho first\n"), 0o755))
	must(t, os.WriteFile(filepath.Join(c.root, "bin/tool"), []byte("#!/bin/sh\necho second\n"), 0o755))
	for want, user := range map[string]shim.User{
		"first\n": {UID: 1000, GID: 1000, Groups: []uint32{7}}, "second\n": {UID: 1000, GID: 1000, Groups: []uint32{8}},
	} {
		s := shim.Spec{Args: []string{"tool"}, Env: []string{"PATH=/first:/bin"}, User: user}
		if got := c.output(s); got != want {
			t.Errorf("%+v: %q", user, got)
		}
		s.User.UID, s.User.Groups = 0, nil
		if got := c.output(s); got != "first\n" {
			t.Errorf("root: %q", got)
		}
	}
}

// A directory that root can go to is one for everybody, as runc has it.
func TestTheWorkingDirectoryIsEnteredAsRoot(t *testing.T) {
	c := newContainer(t)
	must(t, os.Mkdir(filepath.Join(c.root, "closed"), 0o700))
	s := sh("readlink /proc/self/cwd; ls . 2>/dev/null || echo closed")
	s.Dir, s.User = "/closed", shim.User{UID: 1000, GID: 1000}
	if out := c.output(s); out != "/closed\nclosed\n" {
		t.Errorf("%q", out)
	}
}

func TestSecretsAreMasked(t *testing.T) {
	c := newContainer(t)
	c.write("secret", "line one of it\nother line\n")
	c.env = []string{"TOKEN=abcdefgh", "PASS=xyzzyx"}
	s := sh(`echo "$TOKEN$PASS"; printf abcd; sleep 0.2; printf 'efgh|'; cat /secret >&2; printf abcde; yes abcdefgh | head -n 20000 | tr -d '\n'; printf abc`)
	s.SecretEnv, s.SecretFiles = []string{"TOKEN", "PASS"}, []string{"/secret"}
	r := c.run(s)
	want := "******\n***|abcde" + strings.Repeat("***", 20000) + "abc"
	if r.stdout != want || r.shown != want || r.stderr != "***\n" || r.told != "***\n" {
		t.Errorf("%.80q... of %d, want %d; %q", r.stdout, len(r.stdout), len(want), r.stderr)
	}
	s.SecretEnv = []string{"ABSENT"}
	if r, err := c.try(s); err == nil || !strings.Contains(r.told, "secret environment variable ABSENT: it is not set") {
		t.Errorf("%v %q", err, r.told)
	}
	s.SecretEnv, s.SecretFiles = nil, []string{"/absent"}
	if r, err := c.try(s); err == nil || !strings.Contains(r.told, "secret: open /absent: no such file") {
		t.Errorf("%v %q", err, r.told)
	}
}

// Even as root a process cannot say that it ended otherwise, nor what it said.
func TestTheProcessCannotFakeItsEnd(t *testing.T) {
	c := newContainer(t)
	c.write("host", "mine")
	c.env = []string{"TOKEN=hushhush"}
	for name, script := range map[string]string{
		"files":       `cd /.inlay/out; for f in stdout stderr exit.json; do echo '{"Version":2,"Code":0}' > $f; chmod 444 $f; done`,
		"links":       `cd /.inlay/out; for f in stdout stderr exit.json; do ln -s /host $f; done`,
		"directories": `cd /.inlay/out; for f in stdout stderr exit.json; do mkdir -p $f/a/b; echo x > $f/a/b/c; ln -s / $f/a/l; chmod 0 $f/a $f; done`,
		"others":      `cd /.inlay/out; touch a b .c; chmod 0 .; ln /host hard`,
		"later":       `(while :; do for f in stdout stderr exit.json; do echo fake > /.inlay/out/$f; done; done) & sleep 0.2`,
		"trace":       `cat /proc/1/environ /proc/1/fd/* && echo read; for f in /proc/1/fd/*; do echo fake > $f; done; echo x > /proc/1/mem && echo written`,
		"spec":        `echo '{}' > /.inlay/spec; rm -f /.inlay/bin/inlay-shim`,
		"signals":     `kill -STOP 1; kill -KILL 1; kill -CONT 1; kill -WINCH 1; kill -PIPE 1; kill -ALRM 1; kill -CHLD 1`,
	} {
		s := sh(`echo real; (` + script + `) 2>/dev/null; exit 9`)
		s.SecretEnv = []string{"TOKEN"}
		r, err := c.try(s)
		if err != nil || r.exit.Code != 9 || r.exit.Signal != 0 || r.stdout != "real\n" || r.stderr != "" {
			t.Errorf("%s: %v %+v %q %q %s", name, err, r.exit, r.stdout, r.stderr, r.told)
		}
		must(t, os.Chmod(filepath.Join(c.root, ".inlay/out"), 0o700))
		c.lend(program, ".inlay/bin/inlay-shim")
	}
	if b, err := os.ReadFile(filepath.Join(c.root, "host")); err != nil || string(b) != "mine" {
		t.Errorf("a file elsewhere was written: %q, %v", b, err)
	}
}

func TestNothingOfTheProgramLeaksIn(t *testing.T) {
	c := newContainer(t)
	out := c.output(sh("for f in /proc/$$/fd/*; do if [ -e $f ]; then echo ${f##*/}; fi; done; echo x > /dev/tty || echo no terminal; readlink /proc/$$/fd/0; read pid name state parent group session rest < /proc/self/stat; echo $((group - pid)) $((session - pid)) $parent"))
	if want := "0\n1\n2\nno terminal\n/dev/null\n0 0 1\n"; out != want {
		t.Errorf("%q", out)
	}
	status := c.output(sh("cat /proc/self/status; ulimit -n; ulimit -Hn"))
	for _, line := range []string{"CapEff:\t00000000a80425fb", "CapInh:\t0000000000000000", "SigIgn:\t0000000000000000", "SigBlk:\t0000000000000000", "Groups:\t \n", "NoNewPrivs:\t0"} {
		if !strings.Contains(status, line) {
			t.Errorf("%q is missing in\n%s", line, status)
		}
	}
	var own unix.Rlimit
	must(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &own))
	if n := min(own.Max, 1<<20); !strings.HasSuffix(status, fmt.Sprintf("\n%d\n%d\n", n, n)) {
		t.Errorf("open files: %s", status[len(status)-30:])
	}
	s := sh("cat /proc/self/status")
	s.User = shim.User{UID: 1000, GID: 1000}
	if status := c.output(s); !strings.Contains(status, "CapEff:\t0000000000000000") || !strings.Contains(status, "CapPrm:\t0000000000000000") || !strings.Contains(status, "CapBnd:\t00000000a80425fb") {
		t.Errorf("an ordinary user:\n%s", status)
	}
}

func TestSignalsReachTheProcess(t *testing.T) {
	c := newContainer(t)
	for _, test := range []struct {
		script string
		send   syscall.Signal
		want   shim.Exit
		out    string
	}{
		{"trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.01; done", unix.SIGTERM, shim.Exit{Code: 3}, "up\nbye\n"},
		{"echo up; sleep 30", unix.SIGINT, shim.Exit{Code: 130, Signal: 2}, "up\n"},
		{"trap 'echo usr; exit 0' USR1; echo up; while :; do sleep 0.01; done", unix.SIGUSR1, shim.Exit{}, "up\nusr\n"},
	} {
		cmd := c.command(t.Context(), sh(test.script))
		out, err := cmd.StdoutPipe()
		must(t, err)
		must(t, cmd.Start())
		up := make([]byte, 3)
		_, err = io.ReadFull(out, up)
		must(t, err)
		must(t, cmd.Process.Signal(test.send))
		_, _ = io.Copy(io.Discard, out)
		must(t, cmd.Wait())
		var r result
		if err := c.collect(&r); err != nil || r.exit.Code != test.want.Code || r.exit.Signal != test.want.Signal || r.stdout != test.out {
			t.Errorf("%s: %v %+v %q", test.script, err, r.exit, r.stdout)
		}
	}
}

// Where there is no pid namespace, as with rootless daemons in some places, others
// are left alone.
func TestWithoutANamespaceOfItsOwn(t *testing.T) {
	dir := t.TempDir()
	out := filepath.Join(dir, "out")
	must(t, os.Mkdir(out, 0o700))
	mark := marked(2)
	s := sh("setsid sleep " + mark + " & (sleep " + mark + " &) ; sleep 0.1; exit 5")
	s.Env = []string{"PATH=" + os.Getenv("PATH")}
	s.User = shim.User{UID: uint32(os.Getuid()), GID: uint32(os.Getgid())}
	b, err := s.Encode()
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "spec"), b, 0o644))
	must(t, runShim("exec", filepath.Join(dir, "spec"), out))
	b, err = os.ReadFile(filepath.Join(out, shim.ExitFile))
	must(t, err)
	if exit, err := shim.DecodeExit(b); err != nil || exit.Code != 5 {
		t.Errorf("%v %+v", err, exit)
	}
	if running("sleep\x00" + mark) {
		t.Error("something is left")
	}
}

func TestDirectoriesHaveTheAttributesThatTheyShall(t *testing.T) {
	c := newContainer(t)
	a := tree.Attr{Mode: 0o711, UID: 3, GID: 4, ModTime: tree.Time{Sec: 12345, Nsec: 6}, Xattrs: tree.NewXattrs(map[string]string{"user.k": "v"})}
	s := sh("stat -c '%a %u %g %Y' / /etc /srv/x")
	must(t, os.MkdirAll(filepath.Join(c.root, "srv/x"), 0o755))
	s.Root, s.Times = &a, map[string]tree.Time{"/etc": {Sec: 7}, "/srv/x": {Sec: -8, Nsec: 1}}
	if out := c.output(s); out != "711 3 4 12345\n755 0 0 7\n755 0 0 -8\n" {
		t.Errorf("%q", out)
	}
	var st unix.Stat_t
	must(t, unix.Stat(c.root, &st))
	value := make([]byte, 10)
	if n, err := unix.Getxattr(c.root, "user.k", value); err != nil || string(value[:n]) != "v" || st.Mtim.Nsec != 6 {
		t.Errorf("%q %v %v", value[:max(n, 0)], err, st.Mtim)
	}
	must(t, os.Symlink("/etc", filepath.Join(c.root, "link")))
	for path, want := range map[string]string{"/bin/sh/x": "/bin/sh: not a directory", "/link/x": "/link: not a directory", "/absent": "set the time /absent: time: no such file"} {
		s.Times = map[string]tree.Time{path: {}}
		if r, err := c.try(s); err == nil || !strings.Contains(r.told, want) {
			t.Errorf("%s: %v %q", path, err, r.told)
		}
	}
}

func TestWhatCannotBeDoneIsSaidInALine(t *testing.T) {
	c := newContainer(t)
	good, err := sh("true").Encode()
	must(t, err)
	for name, test := range map[string]struct{ spec, want string }{
		"other version": {strings.Replace(string(good), `"Version":2`, `"Version":7`, 1), "of version 7 and inlay-shim of version 2"},
		"no JSON":       {"x", "malformed"},
		"nothing":       {`{"Version":2}`, "nothing to run"},
		"no input":      {strings.Replace(string(good), `{`, `{"Stdin":"L25vd2hlcmU=",`, 1), "standard input: open /nowhere"},
	} {
		c.raw = []byte(test.spec)
		r, err := c.try(shim.Spec{})
		if err == nil || !strings.Contains(r.told, test.want) || strings.Count(r.told, "\n") != 1 || !strings.HasPrefix(r.told, "inlay-shim exec: ") {
			t.Errorf("%s: %v %q", name, err, r.told)
		}
		if left, _ := os.ReadDir(filepath.Join(c.root, ".inlay/out")); len(left) > 0 {
			t.Errorf("%s: %v is left", name, left)
		}
	}
}

// What a daemon makes on the way to mount points it makes before the root has its
// attributes. It is as what is made afterwards.
func TestWhatWasMadeBeforeTheRootHadItsAttributesInheritsThem(t *testing.T) {
	// user::rwx,group::r-x,other::---,user:5:rwx,mask::rwx
	acl := "\x02\x00\x00\x00\x01\x00\x07\x00\xff\xff\xff\xff\x02\x00\x07\x00\x05\x00\x00\x00\x04\x00\x05\x00\xff\xff\xff\xff\x10\x00\x07\x00\xff\xff\xff\xff\x20\x00\x00\x00\xff\xff\xff\xff"
	for name, root := range map[string]tree.Attr{
		"plain":        {Mode: 0o755},
		"set-group-id": {Mode: 0o2775, GID: 7},
		"default ACL":  {Mode: 0o755, Xattrs: tree.NewXattrs(map[string]string{"system.posix_acl_default": acl})},
		"both":         {Mode: 0o2755, GID: 7, Xattrs: tree.NewXattrs(map[string]string{"system.posix_acl_default": acl})},
	} {
		t.Run(name, func(t *testing.T) {
			c := newContainer(t)
			must(t, os.MkdirAll(filepath.Join(c.root, "a/b/c"), 0o755))
			must(t, os.MkdirAll(filepath.Join(c.root, "etc/d/e"), 0o755)) // the kernel has seen to them
			s := sh("stat -c %Y /; chmod 700 /a/b/c")
			root.ModTime = tree.Time{Sec: 12345}
			s.Root, s.Made = &root, []string{"/a", "/a/b", "/a/b/c", "/etc/d", "/etc/d/e"}
			r := c.run(s)
			if r.exit.Code != 0 || r.stdout != "12345\n" {
				t.Fatalf("%+v %s", r.exit, r.told)
			}
			must(t, os.MkdirAll(filepath.Join(c.root, "x/b"), 0o755))
			for _, p := range []string{"", "/b"} {
				want, got := inherited(t, c.root+"/x"+p), inherited(t, c.root+"/a"+p)
				if got != want {
					t.Errorf("/a%s: %q, want %q", p, got, want)
				}
			}
			if e, err := os.Stat(filepath.Join(c.root, "etc/d")); err != nil || e.Mode().Perm() != 0o755 || e.Mode()&os.ModeSetgid != 0 {
				t.Errorf("%v %v", e.Mode(), err)
			}
			var changed []string
			for _, m := range r.exit.Made {
				if m.Changed {
					changed = append(changed, m.Path)
				}
			}
			if len(r.exit.Made) != 5 || !slices.Equal(changed, []string{"/a/b/c"}) || r.exit.Made[2].Attr.Mode != 0o700 {
				t.Errorf("what became of them: %+v", r.exit.Made)
			}
		})
	}
}

// inherited gives what a directory may have of the one that it was made in.
func inherited(t *testing.T, p string) string {
	t.Helper()
	var st unix.Stat_t
	must(t, unix.Lstat(p, &st))
	out := fmt.Sprintf("%o %d:%d", st.Mode, st.Uid, st.Gid)
	for _, name := range []string{"system.posix_acl_access", "system.posix_acl_default"} {
		b := make([]byte, 1000)
		n, err := unix.Lgetxattr(p, name, b)
		if err != nil && err != unix.ENODATA {
			t.Fatal(err)
		}
		out += fmt.Sprintf(" %x", b[:max(0, n)])
	}
	return out
}

func TestSpecsKeepAnyBytes(t *testing.T) {
	a := tree.Attr{Mode: 0o1777, UID: 1, GID: 2, ModTime: tree.Time{Sec: -5, Nsec: 9}, Xattrs: tree.NewXattrs(map[string]string{"user.\xff": "\x00"})}
	want := shim.Spec{
		Args: []string{"\xff\n", ""}, Env: []string{"A=\xfe"}, Dir: "/\xff", User: shim.User{UID: 1, GID: 2, Groups: []uint32{3}},
		Stdin: "/\xff", Root: &a, Made: []string{"/\xff", "/\xff/a"}, Times: map[string]tree.Time{"/\xff": a.ModTime}, SecretEnv: []string{"\xff"}, SecretFiles: []string{"/\xff"},
	}
	b, err := want.Encode()
	must(t, err)
	got, err := shim.DecodeSpec(b)
	if err != nil || *got.Root != a || !maps.Equal(got.Times, want.Times) || !slices.Equal(got.Args, want.Args) || !slices.Equal(got.Env, want.Env) || got.Dir != want.Dir ||
		got.Stdin != want.Stdin || !slices.Equal(got.Made, want.Made) || !slices.Equal(got.SecretEnv, want.SecretEnv) || !slices.Equal(got.SecretFiles, want.SecretFiles) || !slices.Equal(got.User.Groups, want.User.Groups) {
		t.Errorf("%v %+v", err, got)
	}
	e := shim.Exit{Code: 127, Start: &shim.Start{Stage: shim.StageProgram, Errno: 2, Path: "\xff", Detail: "\xfe"}, MaxRSS: 5, Made: []shim.Made{{Path: "/\xff", Attr: a, Changed: true}, {Path: "/b"}}}
	b, err = e.Encode()
	must(t, err)
	if got, err := shim.DecodeExit(b); err != nil || *got.Start != *e.Start || !slices.Equal(got.Made, e.Made) || got.Code != 127 || got.MaxRSS != 5 {
		t.Errorf("%v %+v", err, got)
	}
	for name, s := range map[string]shim.Spec{
		"NUL": {Args: []string{"a\x00"}}, "variable": {Args: []string{"a"}, Env: []string{"=x"}}, "directory": {Args: []string{"a"}, Dir: "x"},
		"secret": {Args: []string{"a"}, SecretEnv: []string{"a=b"}}, "owner": {Args: []string{"a"}, Root: &tree.Attr{UID: 1<<32 - 1}}, "time": {Args: []string{"a"}, Times: map[string]tree.Time{"a": {}}}, "way": {Args: []string{"a"}, Made: []string{"/a/../b"}},
	} {
		if _, err := s.Encode(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
