//go:build linux

package runtime_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/internal/runtime"
)

func TestTheProcessGetsWhatWasAskedFor(t *testing.T) {
	e := newEnv(t)
	p := e.process(`printf '%s|%s|%s|' "$A" "$(pwd)" "$(hostname)"; id -u; id -g; id -G; echo "$0:$1"`)
	p.Args = append(p.Args, "zero", "one two")
	p.Env = append(p.Env, "A=a=b c")
	p.Dir = "/srv/deep"
	p.Hostname = "h1"
	p.User = runtime.User{UID: 1234, GID: 2345, Groups: []uint32{7, 9}}
	if out, want := e.output(p), "a=b c|/srv/deep|h1|1234\n2345\n2345 7 9\nzero:one two\n"; out != want {
		t.Fatalf("got %q, want %q", out, want)
	}
}

func TestStreamsAreSeparateAndWhole(t *testing.T) {
	e := newEnv(t)
	var out, errs bytes.Buffer
	p := e.process("echo to-err >&2; cat")
	in := bytes.Repeat([]byte("0123456789abcde\n"), 1<<16)
	p.Stdin, p.Stdout, p.Stderr = bytes.NewReader(in), &out, &errs
	if exit, err := runtime.Run(t.Context(), e.config, p); err != nil || exit.Code != 0 {
		t.Fatal(exit, err)
	}
	if !bytes.Equal(out.Bytes(), in) || errs.String() != "to-err\n" {
		t.Fatalf("%d bytes of %d; standard error %q", out.Len(), len(in), errs.String())
	}
}

func TestLargeOutput(t *testing.T) {
	e := newEnv(t)
	var out, errs counter
	p := e.process("head -c 52428800 /dev/zero; head -c 52428800 /dev/zero >&2")
	p.Stdout, p.Stderr = &out, &errs
	started := time.Now()
	if exit, err := runtime.Run(t.Context(), e.config, p); err != nil || exit.Code != 0 || out != 50<<20 || errs != 50<<20 {
		t.Fatal(exit, err, out, errs)
	}
	t.Logf("2 x 50 MiB in %v", time.Since(started))
}

type counter int64

func (c *counter) Write(b []byte) (int, error) { *c += counter(len(b)); return len(b), nil }

func TestAReaderThatNeverEndsDoesNotHoldTheRun(t *testing.T) {
	e := newEnv(t)
	out, in, err := os.Pipe()
	must(t, err)
	defer in.Close()
	defer out.Close()
	p := e.process("true")
	p.Stdin = io.MultiReader(out)
	if exit, err := runtime.Run(t.Context(), e.config, p); err != nil || exit.Code != 0 {
		t.Fatal(exit, err)
	}
}

func TestABackgroundChildDoesNotHoldTheRun(t *testing.T) {
	e := newEnv(t)
	started := time.Now()
	out := e.output(e.process("(setsid sleep 30; echo late) & echo early"))
	if took := time.Since(started); out != "early\n" || took > 5*time.Second {
		t.Fatalf("%q after %v", out, took)
	}
}

func TestExitCodesAndSignals(t *testing.T) {
	e := newEnv(t)
	for script, want := range map[string]runtime.Exit{
		"exit 0": {Code: 0}, "exit 7": {Code: 7}, "exit 255": {Code: 255}, "exit 137": {Code: 137},
		"exec sh -c 'sleep 20 & exec kill -9 -1; wait'": {Code: 0},
	} {
		_, exit, err := e.run(e.process(script))
		if err != nil || exit.Code != want.Code || exit.Signal != want.Signal {
			t.Errorf("%s: %v, %v", script, exit, err)
		}
	}
}

func TestCannotStart(t *testing.T) {
	e := newEnv(t)
	must(t, os.WriteFile(filepath.Join(e.root, "bin/noexec"), []byte("x"), 0o644))
	must(t, os.WriteFile(filepath.Join(e.root, "bin/nointerpreter"), []byte("#!/no/such\n"), 0o755))
	must(t, os.Symlink("circle", filepath.Join(e.root, "bin/circle")))
	must(t, os.WriteFile(filepath.Join(e.root, "bin/garbage"), []byte("\x01\x02garbage"), 0o755))
	for _, c := range []struct {
		program string
		code    int
		is      error
	}{
		{"/bin/absent", 127, fs.ErrNotExist},
		{"absent", 127, fs.ErrNotExist},
		{"/bin/noexec", 126, fs.ErrPermission},
		{"/bin/nointerpreter", 127, fs.ErrNotExist},
		{"/bin", 126, fs.ErrPermission},
		{"/bin/garbage", 126, syscall.ENOEXEC},
		{"/bin/sh/", 127, syscall.ENOTDIR},
		{"/bin/circle", 127, syscall.ELOOP},
	} {
		p := e.process("")
		p.Args = []string{c.program}
		out, exit, err := e.run(p)
		var start *runtime.StartError
		if !errors.As(err, &start) || start.Code != c.code || (c.is != nil && !errors.Is(err, c.is)) {
			t.Errorf("%s: exit %v, error %v (%+v), output %q", c.program, exit, err, start, out)
			continue
		}
		if out != "" || start.Stage != runtime.StageProgram {
			t.Errorf("%s: stage %d; runc's words came as output of the process: %q", c.program, start.Stage, out)
		}
		t.Logf("%v [%s]", err, start.Detail)
	}
	if left := e.leftovers(); len(left) > 0 {
		t.Fatalf("left behind: %q", left)
	}
}

// A program that runs has no way to pretend that it did not.
func TestAProcessCannotSayThatItDidNotStart(t *testing.T) {
	e := newEnv(t)
	out, exit, err := e.run(e.process("echo 'exec /bin/sh: no such file or directory' >&3; ls -l /proc/self/fd >&2; exit 255"))
	if err != nil || exit.Code != 255 || strings.Contains(out, "pipe:") && strings.Contains(out, " 3 -> pipe") {
		t.Errorf("exit %v, error %v, output %q", exit, err, out)
	}
}

func TestWrongProcessesAreRefused(t *testing.T) {
	e := newEnv(t)
	for name, spoil := range map[string]func(*runtime.Process){
		"no program":         func(p *runtime.Process) { p.Args = nil },
		"NUL":                func(p *runtime.Process) { p.Args = []string{"a\x00b"} },
		"variable":           func(p *runtime.Process) { p.Env = []string{"=x"} },
		"relative directory": func(p *runtime.Process) { p.Dir = "x" },
		"no root":            func(p *runtime.Process) { p.Root = "/no/such/root" },
		"the host":           func(p *runtime.Process) { p.Root = "/" },
		"unknown capability": func(p *runtime.Process) { p.AddCaps = []string{"CAP_X"} },
		"mount of nothing":   func(p *runtime.Process) { p.Mounts = []runtime.Mount{{Source: "/no/such", Target: "/x"}} },
		"mount at the root":  func(p *runtime.Process) { p.Mounts = []runtime.Mount{{Target: "/"}} },
		"host name":          func(p *runtime.Process) { p.Hosts = []runtime.Host{{Name: "a\nb", Address: "::1"}} },
		"address":            func(p *runtime.Process) { p.Hosts = []runtime.Host{{Name: "a", Address: "x"}} },
	} {
		p := e.process("true")
		spoil(&p)
		if _, _, err := e.run(p); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if left := e.leftovers(); len(left) > 0 {
		t.Fatalf("left behind: %q", left)
	}
}

func TestCancelLeavesNothing(t *testing.T) {
	e := newEnv(t)
	mark := "98765433"
	before := cgroups()
	for _, grace := range []time.Duration{0, 300 * time.Millisecond} {
		os.Remove(filepath.Join(e.root, "tmp/up"))
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			for {
				if _, err := os.Stat(filepath.Join(e.root, "tmp/up")); err == nil {
					break
				}
				time.Sleep(5 * time.Millisecond)
			}
			cancel()
		}()
		p := e.process("trap '' TERM; setsid sleep " + mark + " & (trap '' TERM; sleep " + mark + ") & touch /tmp/up; while :; do sleep " + mark + "; done")
		p.Grace = grace
		started := time.Now()
		_, err := runtime.Run(ctx, e.config, p)
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if left := running(mark); len(left) > 0 {
			t.Fatalf("still running: %q", left)
		}
		if left := e.leftovers(); len(left) > 0 {
			t.Fatalf("left behind: %q", left)
		}
		noNewCgroups(t, before)
		t.Logf("grace %v: %v from start to end", grace, time.Since(started).Round(time.Millisecond))
	}
}

func TestGraceLetsAProcessFinish(t *testing.T) {
	e := newEnv(t)
	ctx, cancel := context.WithCancel(t.Context())
	var out writer
	out.on = func(s string) {
		if strings.Contains(s, "up") {
			cancel()
		}
	}
	p := e.process("trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.01; done")
	p.Grace, p.Stdout = 20*time.Second, &out
	exit, err := runtime.Run(ctx, e.config, p)
	if !errors.Is(err, context.Canceled) || exit.Code != 3 || !strings.Contains(out.String(), "bye") {
		t.Fatalf("%v, %v, %q", exit, err, out.String())
	}
}

type writer struct {
	all strings.Builder
	on  func(string)
}

func (w *writer) String() string { return w.all.String() }

func (w *writer) Write(b []byte) (int, error) {
	n, err := w.all.Write(b)
	if w.on != nil {
		w.on(w.String())
	}
	return n, err
}

func TestAKilledProcess(t *testing.T) {
	e := newEnv(t)
	mark := "98765434"
	go func() {
		for range 1000 {
			if len(running("sleep\x00"+mark)) > 0 {
				for _, line := range running("sleep\x00" + mark) {
					pid := 0
					for _, c := range strings.TrimPrefix(line, "/proc/") {
						if c < '0' || c > '9' {
							break
						}
						pid = pid*10 + int(c-'0')
					}
					_ = syscall.Kill(pid, syscall.SIGKILL)
				}
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
	}()
	_, exit, err := e.run(e.process("exec sleep " + mark))
	if err != nil || exit.Code != 137 || exit.Signal != syscall.SIGKILL {
		t.Fatal(exit, err)
	}
}

func TestLimits(t *testing.T) {
	e := newEnv(t)
	p := e.process("")
	p.Args = []string{"/bin/dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"}
	p.Limits = runtime.Limits{Memory: 32 << 20}
	_, exit, err := e.run(p)
	if errors.Is(err, runtime.ErrNoCgroups) {
		t.Skip(err)
	}
	if err != nil || !exit.OOM || exit.Signal != syscall.SIGKILL {
		t.Fatalf("%+v, %v", exit, err)
	}
	p = e.process("for i in 1 2 3 4 5 6 7 8 9; do sleep 1 & done; wait")
	p.Limits = runtime.Limits{Pids: 5, CPU: 0.5, Files: 64}
	out, _, err := e.run(p)
	if err != nil || !strings.Contains(out, "can't fork") {
		t.Fatalf("%q, %v", out, err)
	}
}
