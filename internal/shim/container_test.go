//go:build linux

package shim_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/internal/runtime"
	"github.com/inlaybuild/inlay/internal/shim"
	"golang.org/x/sys/unix"
)

// container is a root with busybox, in which the program runs as a daemon would
// start it: as root with docker's capabilities, the first process of a pid namespace.
type container struct {
	t    testing.TB
	root string
	env  []string // of the program
	raw  []byte   // what is given in the place of the spec
	show *os.File // what the program's own streams are, if they are not read
}

func newContainer(t testing.TB) *container {
	t.Helper()
	needsRoot(t)
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("needs a static busybox: Debian's busybox-static")
	}
	c := &container{t: t, root: t.TempDir()}
	must(t, os.Chmod(c.root, 0o755))
	for _, d := range []string{"bin", "tmp", "etc", "proc", "dev", ".inlay/bin"} {
		must(t, os.MkdirAll(filepath.Join(c.root, d), 0o755))
	}
	must(t, os.Mkdir(filepath.Join(c.root, ".inlay/out"), 0o700))
	must(t, os.Chmod(filepath.Join(c.root, "tmp"), 0o1777))
	c.lend(busybox, "bin/busybox")
	c.lend(program, ".inlay/bin/inlay-shim")
	for _, applet := range strings.Fields("sh true false cat ls echo sleep id pwd env grep touch mkdir rm ps kill head dd stat readlink yes wc tty setsid chmod printf test chown mknod find ln mv cp tr seq") {
		must(t, os.Symlink("busybox", filepath.Join(c.root, "bin", applet)))
	}
	must(t, unix.Mknod(filepath.Join(c.root, "dev/null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
	must(t, unix.Mknod(filepath.Join(c.root, "dev/zero"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 5))))
	must(t, unix.Mknod(filepath.Join(c.root, "dev/tty"), unix.S_IFCHR|0o666, int(unix.Mkdev(5, 0))))
	for _, n := range []string{"null", "zero", "tty"} {
		must(t, os.Chmod(filepath.Join(c.root, "dev", n), 0o666))
	}
	return c
}

func (c *container) lend(from, to string) {
	c.t.Helper()
	b, err := os.ReadFile(from)
	must(c.t, err)
	must(c.t, os.WriteFile(filepath.Join(c.root, to), b, 0o755))
}

func (c *container) write(name, text string) {
	c.t.Helper()
	must(c.t, os.WriteFile(filepath.Join(c.root, name), []byte(text), 0o644))
}

// enter makes this process, the first of its namespaces, the program in the root.
func enter(root string) error {
	goruntime.LockOSThread() // capabilities are each thread's own
	for _, step := range []func() error{
		func() error { return unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "") },
		func() error { return unix.Mount("proc", filepath.Join(root, "proc"), "proc", 0, "") },
		func() error { return unix.Chroot(root) },
		func() error { return unix.Chdir("/") },
		dropCapabilities,
	} {
		if err := step(); err != nil {
			return err
		}
	}
	var env []string
	for _, v := range os.Environ() {
		if v, ok := strings.CutPrefix(v, "INSIDE_"); ok {
			env = append(env, v)
		}
	}
	return syscall.Exec("/.inlay/bin/inlay-shim", append([]string{"inlay-shim"}, strings.Fields(os.Getenv("INLAY_TEST_VERB"))...), env)
}

// dockers are the capabilities that docker gives.
const dockers = 0xa80425fb

func dropCapabilities() error {
	for n := range unix.CAP_LAST_CAP + 1 {
		if dockers&(1<<n) == 0 {
			if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(n), 0, 0, 0); err != nil {
				return err
			}
		}
	}
	return nil // execve(2) does the rest
}

// command gives what starts the program. Its end is that of all that is in the
// container.
func (c *container) command(ctx context.Context, s shim.Spec) *exec.Cmd {
	c.t.Helper()
	b := c.raw
	if b == nil {
		var err error
		b, err = s.Encode()
		must(c.t, err)
	}
	must(c.t, os.WriteFile(filepath.Join(c.root, ".inlay/spec"), b, 0o644))
	return c.verb(ctx, "exec /.inlay/spec /.inlay/out")
}

// verb gives what starts the program with words.
func (c *container) verb(ctx context.Context, words string) *exec.Cmd {
	c.t.Helper()
	self, err := os.Executable()
	must(c.t, err)
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), "INLAY_TEST_CONTAINER="+c.root, "INLAY_TEST_VERB="+words)
	for _, v := range c.env {
		cmd.Env = append(cmd.Env, "INSIDE_"+v)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWPID | unix.CLONE_NEWNS | unix.CLONE_NEWIPC, Pdeathsig: unix.SIGKILL, Setsid: true}
	return cmd
}

// result is what a run left.
type result struct {
	exit           shim.Exit
	stdout, stderr string // files
	shown, told    string // the program's own streams
}

// sh gives the spec of a script.
func sh(script string) shim.Spec {
	return shim.Spec{Args: []string{"/bin/sh", "-c", script}, Env: []string{"PATH=/bin"}}
}

// run runs the program, which must do its job.
func (c *container) run(s shim.Spec) result {
	c.t.Helper()
	r, err := c.try(s)
	if err != nil {
		c.t.Fatalf("%q: %v: %s", s.Args, err, r.told)
	}
	return r
}

func (c *container) try(s shim.Spec) (result, error) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	var r result
	var shown, told bytes.Buffer
	cmd := c.command(ctx, s)
	cmd.Stdout, cmd.Stderr = &shown, &told
	if c.show != nil {
		cmd.Stdout, cmd.Stderr = c.show, c.show
	}
	err := cmd.Run()
	r.shown, r.told = shown.String(), told.String()
	if err != nil {
		return r, err
	}
	return r, c.collect(&r)
}

// collect reads what the program left, and takes it away.
func (c *container) collect(r *result) error {
	out := filepath.Join(c.root, ".inlay/out")
	names, err := os.ReadDir(out)
	if err != nil {
		return err
	}
	files := map[string]string{}
	for _, n := range names {
		if !n.Type().IsRegular() {
			return fmt.Errorf("%s is no file: %v", n.Name(), n.Type())
		}
		b, err := os.ReadFile(filepath.Join(out, n.Name()))
		if err != nil {
			return err
		}
		files[n.Name()] = string(b)
		if err := os.Remove(filepath.Join(out, n.Name())); err != nil {
			return err
		}
	}
	if len(files) != 3 {
		return fmt.Errorf("not three files: %q", names)
	}
	r.stdout, r.stderr = files[shim.StdoutFile], files[shim.StderrFile]
	r.exit, err = shim.DecodeExit([]byte(files[shim.ExitFile]))
	if err == nil && (r.exit.StdoutSize != int64(len(r.stdout)) || r.exit.StderrSize != int64(len(r.stderr))) {
		err = fmt.Errorf("sizes %d and %d of %d and %d", r.exit.StdoutSize, r.exit.StderrSize, len(r.stdout), len(r.stderr))
	}
	return err
}

// output runs a process that must end with code 0.
func (c *container) output(s shim.Spec) string {
	c.t.Helper()
	r := c.run(s)
	if r.exit.Code != 0 || r.exit.Start != nil {
		c.t.Fatalf("%q: %+v %+v\n%s%s", s.Args, r.exit, r.exit.Start, r.stdout, r.stderr)
	}
	return r.stdout
}

// marked gives a number of seconds that only processes of this test sleep for: others
// may run the same test on this machine.
func marked(n int) string { return fmt.Sprintf("98%d%d", n, os.Getpid()) }

// running tells whether a process runs whose command line has the mark.
func running(mark string) bool {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil && bytes.Contains(b, []byte(mark)) && !strings.HasPrefix(f, fmt.Sprintf("/proc/%d/", os.Getpid())) {
			return true
		}
	}
	return false
}

// elsewhere runs the same process by package runtime, if it can be.
func (c *container) elsewhere(s shim.Spec) (runtime.Exit, error, bool) {
	c.t.Helper()
	p, err := runtime.Find()
	if err != nil {
		return runtime.Exit{}, nil, false
	}
	exit, err := runtime.Run(c.t.Context(), runtime.Config{Program: p, StateDir: filepath.Join(c.t.TempDir(), "state")}, runtime.Process{
		Root: c.root, Args: s.Args, Env: s.Env, Dir: s.Dir, User: runtime.User{UID: s.User.UID, GID: s.User.GID, Groups: s.User.Groups},
	})
	return exit, err, true
}
