package store_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/store"
	"golang.org/x/sys/unix"
)

func TestAnUnknownFormatIsRefused(t *testing.T) {
	dir := t.TempDir()
	check(t, open(t, dir).Close(t.Context()))
	check(t, os.WriteFile(filepath.Join(dir, "format"), []byte("inlay-store 99\n"), 0o600))
	_, err := store.Open(t.Context(), dir, options())
	if !errors.Is(err, store.ErrFormat) || !strings.Contains(err.Error(), "inlay-store 99") {
		t.Fatal(err)
	}
}

func TestADirectoryOfSomethingElseIsRefused(t *testing.T) {
	dir := t.TempDir()
	check(t, os.WriteFile(filepath.Join(dir, "thesis.tex"), nil, 0o600))
	_, err := store.Open(t.Context(), dir, options())
	if !errors.Is(err, store.ErrFormat) {
		t.Fatal(err)
	}
	if list, _ := os.ReadDir(dir); len(list) != 1 {
		t.Fatal(list)
	}
	_, err = store.Open(t.Context(), filepath.Join(dir, "thesis.tex"), options())
	if !errors.Is(err, unix.ENOTDIR) {
		t.Fatal(err)
	}
}

func TestADatabaseThatIsNoneIsAnError(t *testing.T) {
	dir := t.TempDir()
	check(t, open(t, dir).Close(t.Context()))
	check(t, os.WriteFile(filepath.Join(dir, "records.db"), []byte(strings.Repeat("garbage ", 1000)), 0o600))
	_, err := store.Open(t.Context(), dir, options())
	if err == nil || !strings.Contains(err.Error(), "records.db") {
		t.Fatal(err)
	}
	check(t, os.Remove(filepath.Join(dir, "records.db")))
	_, err = store.Open(t.Context(), dir, options())
	if !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
}

func TestCancelledCallsSaySo(t *testing.T) {
	s := open(t, t.TempDir())
	tree, _ := ingest(t, s, "r", "body")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for name, f := range map[string]func() error{
		"open":   func() error { _, err := store.Open(ctx, t.TempDir(), options()); return err },
		"node":   func() error { _, err := s.Node(ctx, tree); return err },
		"commit": func() error { return s.SetRef(ctx, "x", store.Record{Trees: []digest.Digest{tree}}) },
		"gc":     func() error { _, err := s.GC(ctx, store.GCOptions{}); return err },
		"fsck":   func() error { _, err := s.Fsck(ctx); return err },
	} {
		if err := f(); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: %v", name, err)
		}
	}
	fsckClean(t, s)
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
}

func TestAStoreWithoutPermissionIsAClearError(t *testing.T) {
	needRoot(t)
	base, err := os.MkdirTemp("/var/tmp", "inlay-store-test")
	check(t, err)
	defer os.RemoveAll(base)
	check(t, os.Chmod(base, 0o755))
	dir := base + "/store"
	s := open(t, dir)
	check(t, s.Close(t.Context()))
	exe, err := os.ReadFile("/proc/self/exe")
	check(t, err)
	check(t, os.WriteFile(base+"/exe", exe, 0o755))
	for _, at := range []string{dir, base + "/other"} {
		cmd := exec.Command(base + "/exe")
		cmd.Env = []string{"INLAY_STORE_ROLE=work", "INLAY_STORE_SECONDS=1", "INLAY_STORE_DIR=" + at}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
		out, err := cmd.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "permission denied") {
			t.Errorf("%s: %v %s", at, err, out)
		}
	}
}
