package embedded_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/engine/enginetest"
	"github.com/inlaybuild/inlay/internal/checkout"
	"github.com/inlaybuild/inlay/internal/runtime"
	"github.com/inlaybuild/inlay/internal/store"
)

// TestMain builds inlay-runc once for all tests of the package, unless
// $INLAY_RUNC names one.
func TestMain(m *testing.M) {
	if task := os.Getenv("INLAY_TEST_TASK"); task != "" {
		os.Exit(child(task))
	}
	os.Exit(run(m))
}

func run(m *testing.M) int {
	if os.Getenv("INLAY_RUNC") == "" {
		dir, err := os.MkdirTemp("", "inlay-embedded-")
		if err != nil {
			panic(err)
		}
		defer os.RemoveAll(dir)
		program := filepath.Join(dir, runtime.Program)
		cmd := exec.Command("go", "build", "-tags", "seccomp", "-o", program, "../../internal/runtime/inlay-runc")
		if out, err := cmd.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "inlay-runc cannot be built, the tests that run processes are skipped: %v\n%s", err, out)
		} else {
			os.Setenv("INLAY_RUNC", program)
		}
	}
	defer func() {
		if filledNow != nil {
			os.RemoveAll(filledNow.dir)
		}
	}()
	return m.Run()
}

// needsProcesses skips a test where no process can be run.
func needsProcesses(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: namespaces and mounts")
	}
	if os.Getenv("INLAY_RUNC") == "" {
		t.Skip("needs inlay-runc: gcc, pkg-config and libseccomp-dev")
	}
}

// open opens an engine on a store of its own, or of o.
func open(t testing.TB, o embedded.Options) *embedded.Engine {
	t.Helper()
	if o.Store == "" {
		o.Store = filepath.Join(t.TempDir(), "store")
	}
	e, err := embedded.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return e
}

// sound fails the test when the store is not.
func sound(t testing.TB, e *embedded.Engine) {
	t.Helper()
	r, err := e.Store().Fsck(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range r.Problems {
		t.Errorf("fsck: %v", p)
	}
}

func TestLaws(t *testing.T) {
	enginetest.Run(t, func(t testing.TB) engine.Engine { return open(t, embedded.Options{}) })
}

func TestExecLaws(t *testing.T) {
	needsProcesses(t)
	for _, m := range []checkout.Method{checkout.Auto, checkout.Loop, checkout.Metadata, checkout.Copy, checkout.Plain} {
		t.Run(m.String(), func(t *testing.T) {
			if m != checkout.Auto && m != checkout.Plain && os.Getenv("INLAY_LONG") == "" {
				t.Skip("how this machine does it, and how any does, are enough: INLAY_LONG=1 has all")
			}
			enginetest.RunExec(t, func(t testing.TB) engine.Engine {
				return open(t, embedded.Options{Root: m, Secret: enginetest.Secret})
			})
		})
	}
}

var (
	exportDefault engine.ExportOptions
	collectAll    = store.GCOptions{KeepRuns: -1}
)
