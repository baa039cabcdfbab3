//go:build linux

package runtime_test

import (
	"errors"
	"os"
	"os/exec"
	"testing"

	"github.com/inlaybuild/inlay/internal/runtime"
)

// Re-executes itself where the cgroups are read-only.
func TestWithoutCgroups(t *testing.T) {
	if os.Getenv("INLAY_TEST_NO_CGROUPS") == "" {
		newEnv(t)
		self, err := os.Executable()
		must(t, err)
		cmd := exec.Command("unshare", "-m", "sh", "-c", `
			for d in /sys/fs/cgroup/* /sys/fs/cgroup; do mountpoint -q $d && mount -o bind,remount,ro $d; done
			exec "$0" -test.run '^TestWithoutCgroups$' -test.v`, self)
		cmd.Env = append(os.Environ(), "INLAY_TEST_NO_CGROUPS=1")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return
	}
	e := newEnv(t)
	status := e.output(e.process("cat /proc/self/status"))
	if got := field(status, "CapEff"); got != "00000000a00425fb" {
		t.Errorf("capabilities: %s, want docker's without CAP_MKNOD", got)
	}
	p := e.process("true")
	p.Limits = runtime.Limits{Memory: 1 << 30}
	if _, _, err := e.run(p); !errors.Is(err, runtime.ErrNoCgroups) {
		t.Error(err)
	}
	if left := e.leftovers(); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}
