package buildkit_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/buildkit"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/engine/enginetest"
	"github.com/inlaybuild/inlay/internal/daemon"
	"github.com/inlaybuild/inlay/internal/daemontest"
	"github.com/inlaybuild/inlay/internal/runtime"
	"github.com/inlaybuild/inlay/internal/shim"
)

// TestMain builds the programs that processes need, unless the environment names
// them.
func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "inlay-buildkit-test-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	build(dir, "INLAY_RUNC", runtime.Program, "1", "-tags", "seccomp", "../../internal/runtime/inlay-runc")
	build(dir, "INLAY_SHIM", shim.Program, "0", "../../cmd/inlay-shim")
	defer func() {
		if shared.daemon != nil {
			shared.daemon.Close()
		}
	}()
	return m.Run()
}

func build(dir, name, program, cgo string, args ...string) {
	if os.Getenv(name) != "" {
		return
	}
	file := filepath.Join(dir, program)
	c := exec.Command("go", append([]string{"build", "-o", file}, args...)...)
	c.Env = append(os.Environ(), "CGO_ENABLED="+cgo)
	if out, err := c.CombinedOutput(); err != nil {
		os.Stderr.Write(out)
		return
	}
	os.Setenv(name, file)
}

// shared is the daemon that most tests use.
var shared struct {
	once   sync.Once
	daemon *daemontest.Daemon
	err    error
}

// address gives the address of the daemon that most tests use.
func address(t testing.TB) daemon.Address {
	t.Helper()
	daemontest.Skip(t)
	shared.once.Do(func() { shared.daemon, shared.err = daemontest.Start() })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return daemon.Address{URL: shared.daemon.Address}
}

// ownDaemon starts a daemon for one test.
func ownDaemon(t testing.TB) *daemontest.Daemon {
	t.Helper()
	daemontest.Skip(t)
	d, err := daemontest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// open opens an engine whose processes run at daemons, on a store of its own.
func open(t testing.TB, o embedded.Options, b buildkit.Options) *embedded.Engine {
	t.Helper()
	if len(b.Addresses) == 0 {
		b.Addresses = []daemon.Address{address(t)}
	}
	o.Remote = func(l engine.Local) (engine.Remote, error) { return buildkit.New(b, l) }
	return openHere(t, o)
}

// openHere opens an engine of this machine, on a store of its own.
func openHere(t testing.TB, o embedded.Options) *embedded.Engine {
	t.Helper()
	if o.Store == "" {
		o.Store = filepath.Join(t.TempDir(), "store")
	}
	if o.Secret == nil {
		o.Secret = enginetest.Secret
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
