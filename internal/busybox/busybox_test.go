package busybox_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/internal/busybox"
)

func TestOnlyAStaticBusyboxIsLent(t *testing.T) {
	for name, want := range map[string]string{
		"/no/such/program": "no such file",
		"/etc/passwd":      "it is no program",
		"/bin/bash":        "it is no static program",
	} {
		t.Setenv("INLAY_BUSYBOX", name)
		if got, err := busybox.Find(); err == nil || !strings.Contains(err.Error(), "$INLAY_BUSYBOX: "+name+": "+want) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func TestADirectoryHasAllProgramsAndIsMadeOnce(t *testing.T) {
	file, err := busybox.Find()
	if errors.Is(err, busybox.ErrNone) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	cache := filepath.Join(t.TempDir(), "a", "b")
	dir, err := busybox.Directory(cache)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"busybox", "sh", "ls", "vi"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Errorf("%v; it is made of %s", err, file)
		}
	}
	if out, err := exec.Command(filepath.Join(dir, "echo"), "x").Output(); err != nil || string(out) != "x\n" {
		t.Errorf("%q, %v", out, err)
	}
	before, err := os.Stat(dir)
	if err != nil {
		t.Fatal(err)
	}
	again, err := busybox.Directory(cache)
	if err != nil || again != dir {
		t.Error(again, err)
	}
	after, err := os.Stat(dir)
	if err != nil || !os.SameFile(before, after) {
		t.Error("it was made again", err)
	}
	if list, err := os.ReadDir(cache); err != nil || len(list) != 1 {
		t.Errorf("%v, %v", list, err)
	}
}
