package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/distribution/distribution/v3/configuration"
	"github.com/distribution/distribution/v3/registry/handlers"
	_ "github.com/distribution/distribution/v3/registry/storage/driver/inmemory"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/sirupsen/logrus"
)

// noSleep is a setting of the race detector: programs that it watches end without
// sleeping for a second, in case a race happens then.
const noSleep = "atexit_sleep_ms=0"

func TestMain(m *testing.M) {
	if err := os.Setenv("GORACE", strings.TrimSpace(os.Getenv("GORACE")+" "+noSleep)); err != nil {
		panic(err)
	}
	testscript.Main(m, map[string]func(){"inlay": main})
}

// runc builds the program that runs processes, or gives "" where it cannot be.
func runc(t testing.TB) string {
	if os.Getuid() != 0 {
		return ""
	}
	path := filepath.Join(t.TempDir(), "inlay-runc")
	if out, err := exec.Command("go", "build", "-tags", "seccomp", "-o", path, "../../internal/runtime/inlay-runc").CombinedOutput(); err != nil {
		t.Logf("inlay-runc cannot be built, scripts that run processes are skipped: %v\n%s", err, out)
		return ""
	}
	return path
}

// busybox gives a static busybox; "" if there is none.
func busybox() string {
	path, err := exec.LookPath("busybox")
	if err != nil {
		return ""
	}
	if out, err := exec.Command("ldd", path).CombinedOutput(); err == nil && !strings.Contains(string(out), "not a dynamic") {
		return ""
	}
	return path
}

// registry starts a registry on loopback and gives its address.
func registry(t *testing.T) string {
	logrus.SetOutput(io.Discard)
	c := &configuration.Configuration{}
	c.Storage = configuration.Storage{"inmemory": nil, "delete": {"enabled": true}}
	c.Catalog.MaxEntries = 1000
	c.Log.Level = "panic"
	c.Log.AccessLog.Disabled = true
	server := httptest.NewServer(handlers.NewApp(context.Background(), c))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func TestScripts(t *testing.T) {
	program, box, host := runc(t), busybox(), registry(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("INLAY_STORE", filepath.Join(e.WorkDir, ".store"))
			e.Setenv("HOME", e.WorkDir)
			e.Setenv("GORACE", os.Getenv("GORACE"))
			e.Setenv("INLAY_RUNC", program)
			e.Setenv("BUSYBOX", box)
			e.Setenv("REGISTRY", host+"/"+strings.ToLower(strings.TrimPrefix(filepath.Base(e.WorkDir), "script-")))
			return nil
		},
		Condition: func(cond string) (bool, error) {
			switch cond {
			case "root":
				return os.Getuid() == 0, nil
			case "processes":
				return program != "" && box != "", nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":    exits,
			"longname": longName,
			"flip":     flip,
		},
	})
}

// exits runs a program and wants an exit code: exits CODE PROGRAM ARGS...
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM ARGS...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var ee *exec.ExitError
		if !errors.As(err, &ee) {
			ts.Fatalf("%v", err)
		}
		got = ee.ExitCode()
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
	if want != 0 && strings.Contains(ts.ReadFile("stderr"), "panic:") {
		ts.Fatalf("it panicked")
	}
}

// longName sets a variable to a name of so many letters: longname VARIABLE COUNT
func longName(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	ts.Setenv(args[0], strings.Repeat("n", n))
}

// flip changes one byte in the middle of a file: flip FILE
func flip(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	b, err := os.ReadFile(path)
	ts.Check(err)
	b[len(b)/2] ^= 0x40
	ts.Check(os.Chmod(path, 0o644))
	ts.Check(os.WriteFile(path, b, 0o644))
}
