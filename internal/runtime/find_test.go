//go:build linux

package runtime_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/inlaybuild/inlay/internal/runtime"
)

func TestFind(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, runtime.Program)
	t.Setenv("PATH", dir)
	t.Setenv("INLAY_RUNC", "")
	if _, err := runtime.Find(); !errors.Is(err, runtime.ErrNotFound) {
		t.Fatal(err)
	}
	must(t, os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755))
	if got, err := runtime.Find(); err != nil || got != path {
		t.Fatal(got, err)
	}
	t.Setenv("INLAY_RUNC", filepath.Join(dir, "absent"))
	if _, err := runtime.Find(); !errors.Is(err, runtime.ErrNotFound) || !errors.Is(err, os.ErrNotExist) {
		t.Fatal("a wrong $INLAY_RUNC must not be passed over:", err)
	}
}
