package shim_test

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/internal/shim"
)

func TestFindKnowsArchitectures(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "shim")
	t.Setenv("INLAY_SHIM", name)
	other := "arm64"
	if runtime.GOARCH == other {
		other = "amd64"
	}
	for _, arch := range []string{runtime.GOARCH, other} {
		if _, err := shim.Find(arch); !errors.Is(err, shim.ErrNotFound) || !strings.Contains(err.Error(), "$INLAY_SHIM: ") {
			t.Errorf("%s: %v", arch, err)
		}
	}
	for path, arch := range map[string]string{name: runtime.GOARCH, name + "-" + other: other} {
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := shim.Find(arch); err != nil || got != path {
			t.Errorf("%s: %s, %v", arch, got, err)
		}
	}
	t.Setenv("INLAY_SHIM", "")
	_, err := shim.Find("riscv64")
	if !errors.Is(err, shim.ErrNotFound) || !strings.Contains(err.Error(), "GOARCH=riscv64 go build -o bin/inlay-shim-riscv64") {
		t.Error(err)
	}
}
