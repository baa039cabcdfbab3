//go:build linux

package runtime_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestManyAtOnce(t *testing.T) {
	e := newEnv(t)
	// Mount points are made in the root: each process has its own.
	roots := make([]string, 8)
	for i := range roots {
		roots[i] = busyboxRoot(t)
	}
	var group sync.WaitGroup
	for i, root := range roots {
		group.Go(func() {
			for n := range 4 {
				p := e.process(fmt.Sprintf("echo %d-%d; exit %d", i, n, i))
				p.Root = root
				out, exit, err := e.run(p)
				if err != nil || exit.Code != i || out != fmt.Sprintf("%d-%d\n", i, n) {
					t.Errorf("%d: %v %v %q", i, exit, err, out)
				}
			}
		})
	}
	group.Wait()
	if left := e.leftovers(); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// A mount of the engine that has nothing to do with a process must not be kept
// alive by it.
func TestARunningProcessPinsNoOtherMount(t *testing.T) {
	e := newEnv(t)
	other := t.TempDir()
	if err := unix.Mount("tmpfs", other, "tmpfs", 0, ""); err != nil {
		t.Skip(err)
	}
	defer unix.Unmount(other, unix.MNT_DETACH)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _, _ = e.run(e.process("touch /tmp/up; while [ ! -e /tmp/end ]; do sleep 0.02; done"))
	}()
	eventually(t, 10*time.Second, "the process starts", func() bool { _, err := os.Stat(e.root + "/tmp/up"); return err == nil })
	pinned := func() (by []string) {
		for _, line := range running(program) {
			dir, _, _ := strings.Cut(line, " ")
			mounts, _ := os.ReadFile(filepath.Join(dir, "mountinfo"))
			if strings.Contains(string(mounts), other) {
				by = append(by, line)
			}
		}
		return by
	}
	if len(running(program)) == 0 {
		t.Error("the test is blind")
	}
	eventually(t, 2*time.Second, "the mount is let go of", func() bool { return len(pinned()) == 0 })
	must(t, os.WriteFile(e.root+"/tmp/end", nil, 0o644))
	<-done
	if _, err := os.Stat(e.root + "/etc"); err != nil {
		t.Error("the root of the host was unmounted")
	}
}
