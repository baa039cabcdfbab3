//go:build linux

package shim

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// A file that had a name once cannot get another one: then it is copied.
func TestAFileThatCannotBeNamedIsCopied(t *testing.T) {
	dir := t.TempDir()
	o, err := openOut(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer o.close()
	f, err := o.createAs("once")
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Unlinkat(o.fd, "once", 0); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("what it holds"); err != nil {
		t.Fatal(err)
	}
	if err := o.name(f, "now"); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "now")); err != nil || string(b) != "what it holds" {
		t.Errorf("%q, %v", b, err)
	}
	names, err := os.ReadDir(dir)
	if err != nil || len(names) != 1 {
		t.Errorf("%v, %v", names, err)
	}
}
