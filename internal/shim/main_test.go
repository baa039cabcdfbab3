//go:build linux

package shim_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/inlaybuild/inlay/internal/shim"
)

// program is inlay-shim, built once for all tests of the package.
var program string

func TestMain(m *testing.M) {
	if root := os.Getenv("INLAY_TEST_CONTAINER"); root != "" {
		fmt.Fprintln(os.Stderr, "container:", enter(root))
		os.Exit(99)
	}
	dir, err := os.MkdirTemp("", "inlay-shim-")
	if err != nil {
		panic(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		panic(err)
	}
	program = filepath.Join(dir, shim.Program)
	cmd := exec.Command("go", "build", "-o", program, "../../cmd/inlay-shim")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "inlay-shim cannot be built: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func needsRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: namespaces, owners, devices")
	}
}

// runShim runs the program, outside of any container.
func runShim(args ...string) error {
	var stderr bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Stderr = &stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%w: %s", err, bytes.TrimSpace(stderr.Bytes()))
	}
	return nil
}
