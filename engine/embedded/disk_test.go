package embedded_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/image/imagetest"
	"github.com/inlaybuild/inlay/internal/compress"
	"github.com/inlaybuild/inlay/internal/store"
)

func TestAFullDiskLeavesNothingHalfMade(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: a file system of its own")
	}
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=24m"); err != nil {
		t.Skip("needs mount(2): ", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(disk, 0); err != nil {
			t.Error(err)
		}
	})
	var m imagetest.Memory
	l := imagetest.Layer(t, &m, imagetest.Tar(t, "f", 15_000_000), compress.Gzip)
	dir := onDisk(t, &m, imagetest.Image(t, &m, image.HostPlatform(), image.AssembleOptions{}, l))
	e := open(t, embedded.Options{Store: filepath.Join(disk, "store")})
	for range 3 {
		_, err := e.Import(t.Context(), place(t, "oci:"+dir), "big", embedded.ImportOptions{})
		if !errors.Is(err, syscall.ENOSPC) || strings.Contains(err.Error(), "\n") {
			t.Fatalf("error %v", err)
		}
		sound(t, e)
		if left, _ := filepath.Glob(filepath.Join(disk, "store/ingest/*")); len(left) > 0 {
			t.Errorf("left %s", left)
		}
	}
	if err := syscall.Mount("tmpfs", disk, "tmpfs", syscall.MS_REMOUNT, "size=100m"); err != nil {
		t.Fatal(err)
	}
	importAs(t, e, "oci:"+dir, "big", embedded.ImportOptions{})
	sound(t, e)
}

func TestStoresThatCannotBeUsedAreRefused(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "something"), []byte("else"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := embedded.Open(t.Context(), embedded.Options{Store: dir}); !errors.Is(err, store.ErrFormat) || !strings.Contains(err.Error(), dir) {
		t.Errorf("a directory with something else: %v", err)
	}
	newer := filepath.Join(t.TempDir(), "store")
	e, err := embedded.Open(t.Context(), embedded.Options{Store: newer})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	format := filepath.Join(newer, "format")
	os.Chmod(format, 0o600)
	if err := os.WriteFile(format, []byte("inlay store 99\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := embedded.Open(t.Context(), embedded.Options{Store: newer}); !errors.Is(err, store.ErrFormat) {
		t.Errorf("a newer store: %v", err)
	}
	if _, err := embedded.Open(t.Context(), embedded.Options{Store: "/dev/null/store"}); err == nil {
		t.Error("a store below a file was opened")
	}
}
