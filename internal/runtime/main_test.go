//go:build linux

package runtime_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/internal/runtime"
)

// program is inlay-runc, built once for all tests of the package.
var program string

func TestMain(m *testing.M) {
	if stateDir := os.Getenv("INLAY_TEST_VICTIM"); stateDir != "" {
		victim(stateDir)
		return
	}
	dir, err := os.MkdirTemp("", "inlay-runtime-")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(dir, runtime.Program)
	if out, err := exec.Command("go", "build", "-tags", "seccomp", "-o", program, "./inlay-runc").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "inlay-runc cannot be built, the tests that run processes are skipped: %v\n%s", err, out)
		program = ""
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// env is what one test runs processes with.
type env struct {
	t      testing.TB
	config runtime.Config
	root   string
}

// newEnv makes a root that holds busybox and little else.
func newEnv(t testing.TB) *env {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: namespaces and mounts")
	}
	if program == "" {
		t.Skip("needs inlay-runc: gcc, pkg-config and libseccomp-dev")
	}
	e := &env{t: t, root: busyboxRoot(t), config: runtime.Config{Program: program, StateDir: filepath.Join(t.TempDir(), "state")}}
	return e
}

// busyboxRoot makes a root with busybox in /bin and no mount points.
func busyboxRoot(t testing.TB) string {
	t.Helper()
	source, err := exec.LookPath("busybox")
	if err != nil {
		t.Skip("needs a static busybox: Debian's busybox-static")
	}
	body, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	must(t, os.Chmod(root, 0o755))
	must(t, os.MkdirAll(filepath.Join(root, "bin"), 0o755))
	must(t, os.MkdirAll(filepath.Join(root, "tmp"), 0o777))
	must(t, os.MkdirAll(filepath.Join(root, "etc"), 0o755))
	must(t, os.WriteFile(filepath.Join(root, "bin/busybox"), body, 0o755))
	for _, applet := range strings.Fields("sh true false cat ls echo sleep id pwd env grep mount touch mkdir rm ip ps kill head dd hostname stat readlink yes wc tty stty setsid nc chmod printf test chown mknod unshare find") {
		must(t, os.Symlink("busybox", filepath.Join(root, "bin", applet)))
	}
	return root
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// process is sh -c script in the test's root.
func (e *env) process(script string) runtime.Process {
	return runtime.Process{Root: e.root, Args: []string{"/bin/sh", "-c", script}, Env: []string{"PATH=" + runtime.DefaultPath}}
}

// output runs p, which must end with code 0, and gives what it wrote.
func (e *env) output(p runtime.Process) string {
	e.t.Helper()
	out, exit, err := e.run(p)
	if err != nil || exit.Code != 0 {
		e.t.Fatalf("%q: %v, %v\n%s", p.Args, exit, err, out)
	}
	return out
}

func (e *env) run(p runtime.Process) (string, runtime.Exit, error) {
	e.t.Helper()
	var out bytes.Buffer
	p.Stdout, p.Stderr = &out, &out
	exit, err := runtime.Run(context.Background(), e.config, p)
	return out.String(), exit, err
}
