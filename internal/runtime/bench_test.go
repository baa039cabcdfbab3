//go:build linux

package runtime_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/inlaybuild/inlay/internal/runtime"
)

func BenchmarkRunTrue(b *testing.B) {
	e := newEnv(b)
	p := runtime.Process{Root: e.root, Args: []string{"/bin/true"}}
	for b.Loop() {
		if _, err := runtime.Run(context.Background(), e.config, p); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRuncAlone runs the same configuration by runc itself, its bundle and
// its mount points ready.
func BenchmarkRuncAlone(b *testing.B) {
	e := newEnv(b)
	runc := filepath.Join(b.TempDir(), "runc")
	if out, err := exec.Command("go", "build", "-tags", "seccomp", "-o", runc, "github.com/opencontainers/runc").CombinedOutput(); err != nil {
		b.Skipf("no runc: %v\n%s", err, out)
	}
	bundle := filepath.Join(b.TempDir(), "bundle")
	must(b, os.Mkdir(bundle, 0o700))
	must(b, runtime.WriteBundle(bundle, runtime.Process{Root: e.root, Args: []string{"/bin/true"}}))
	state := b.TempDir()
	n := 0
	for b.Loop() {
		n++
		if out, err := exec.Command(runc, "--root", state, "run", "--bundle", bundle, fmt.Sprintf("bench-%d", n)).CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
	}
}
