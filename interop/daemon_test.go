package interop

import (
	"debug/buildinfo"
	"path/filepath"
	"sync"
	"testing"

	"github.com/inlaybuild/inlay/internal/daemontest"
)

// daemon is a buildkitd of the tests' own, with a judge of what it makes.
type daemon struct {
	*daemontest.Daemon
	judge *judge
}

// shared is the daemon of this process, from the first test that wants it on.
var shared struct {
	once   sync.Once
	daemon *daemon
	err    error
}

// sharedDaemon gives the daemon that all tests share.
func sharedDaemon(t testing.TB) *daemon {
	t.Helper()
	daemontest.Skip(t)
	shared.once.Do(func() { shared.daemon, shared.err = startDaemon() })
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.daemon
}

// stopShared ends the daemon, if there is one.
func stopShared() {
	if shared.daemon != nil {
		shared.daemon.close()
	}
}

func startDaemon() (*daemon, error) {
	own, err := daemontest.Start()
	if err != nil {
		return nil, err
	}
	d := &daemon{Daemon: own}
	if d.judge, err = startJudge(d); err != nil {
		own.Close()
		return nil, err
	}
	return d, nil
}

func (d *daemon) close() {
	d.judge.close()
	d.Close()
}

// version gives the version of the daemon's module.
func (d *daemon) version(t testing.TB) string {
	t.Helper()
	info, err := buildinfo.ReadFile(filepath.Join(d.Bin, "buildkitd"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == "github.com/moby/buildkit" {
			return m.Version
		}
	}
	t.Fatalf("buildkitd is of %s", info.Main.Path)
	return ""
}
