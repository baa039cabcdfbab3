//go:build linux

package runtime_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/internal/runtime"
)

// victim is what a re-executed test program does: it runs a process until it is
// killed.
func victim(stateDir string) {
	p := runtime.Process{
		Root: os.Getenv("INLAY_TEST_VICTIM_ROOT"),
		Args: []string{"/bin/sh", "-c", os.Getenv("INLAY_TEST_SCRIPT")},
		Env:  []string{"PATH=" + runtime.DefaultPath}, Stdout: os.Stdout, Stderr: os.Stderr,
	}
	exit, err := runtime.Run(context.Background(), runtime.Config{Program: os.Getenv("INLAY_RUNC"), StateDir: stateDir}, p)
	fmt.Println("the victim survived:", exit, err)
}

// startVictim starts an engine of its own that runs script, and waits until
// script has created the file /tmp/up.
func startVictim(t *testing.T, e *env, script string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	must(t, err)
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "INLAY_TEST_VICTIM="+e.config.StateDir, "INLAY_TEST_VICTIM_ROOT="+e.root,
		"INLAY_TEST_SCRIPT="+script, "INLAY_RUNC="+program)
	must(t, cmd.Start())
	up := filepath.Join(e.root, "tmp/up")
	eventually(t, 10*time.Second, "the process starts", func() bool { _, err := os.Stat(up); return err == nil })
	return cmd
}

func eventually(t *testing.T, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(limit); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// running lists the processes whose command line contains mark.
func running(mark string) []string {
	var found []string
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(line), mark) && filepath.Base(filepath.Dir(file)) != fmt.Sprint(os.Getpid()) {
			found = append(found, filepath.Dir(file)+" "+strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}

// leftovers lists what exists of the test's processes: places of the state
// directory, cgroups with those names, mounts in this namespace.
func (e *env) leftovers() []string {
	var found []string
	entries, _ := os.ReadDir(e.config.StateDir)
	for _, entry := range entries {
		found = append(found, entry.Name())
		for _, pattern := range []string{"/sys/fs/cgroup/*/", "/sys/fs/cgroup/"} {
			dirs, _ := filepath.Glob(pattern + entry.Name())
			found = append(found, dirs...)
		}
	}
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, e.root) || strings.Contains(line, e.config.StateDir) {
			found = append(found, line)
		}
	}
	return found
}

// cgroups lists the cgroups of all processes of this package.
func cgroups() []string {
	a, _ := filepath.Glob("/sys/fs/cgroup/*/inlay-*")
	b, _ := filepath.Glob("/sys/fs/cgroup/inlay-*")
	return append(a, b...)
}

// noNewCgroups fails when cgroups that were not there before stay: other engines
// of this machine may be at work, but theirs go.
func noNewCgroups(t *testing.T, before []string) {
	t.Helper()
	made := cgroups()
	eventually(t, 5*time.Second, "all new cgroups are gone", func() bool {
		now := cgroups()
		return !slices.ContainsFunc(made, func(dir string) bool { return slices.Contains(now, dir) && !slices.Contains(before, dir) })
	})
}

func TestAKilledEngineLeavesNoProcess(t *testing.T) {
	e := newEnv(t)
	// Children, a new session, and a process that is deaf to signals.
	mark := "98765431"
	cmd := startVictim(t, e, "trap '' TERM HUP INT; sleep "+mark+" & setsid sleep "+mark+" & (setsid sh -c 'trap \"\" TERM HUP; sleep "+mark+"; true' &) ; touch /tmp/up; sleep "+mark)
	eventually(t, 5*time.Second, "four sleeps run", func() bool { return len(running(mark)) >= 4 })
	if n, err := runtime.Sweep(e.config.StateDir); n != 0 || err != nil {
		t.Fatalf("a sweep took a live engine's process for abandoned: %d, %v", n, err)
	}
	must(t, cmd.Process.Kill())
	killed := time.Now()
	_ = cmd.Wait()
	eventually(t, time.Second, "all processes are gone", func() bool { return len(running(mark)) == 0 })
	t.Logf("all gone %v after the kill", time.Since(killed).Round(time.Millisecond))
	if len(e.leftovers()) == 0 {
		t.Fatal("the test is blind: a killed engine must have left its state")
	}
	n, err := runtime.Sweep(e.config.StateDir)
	if n != 1 || err != nil {
		t.Fatalf("Sweep: %d, %v", n, err)
	}
	if left := e.leftovers(); len(left) > 0 {
		t.Fatalf("left behind: %q", left)
	}
	if n, err := runtime.Sweep(e.config.StateDir); n != 0 || err != nil {
		t.Fatalf("second Sweep: %d, %v", n, err)
	}
}

func TestAnEngineKilledAtAnyMomentLeavesNoProcess(t *testing.T) {
	e := newEnv(t)
	self, err := os.Executable()
	must(t, err)
	mark := "98765432"
	before := cgroups()
	for i := range 25 {
		cmd := exec.Command(self)
		cmd.Env = append(os.Environ(), "INLAY_TEST_VICTIM="+e.config.StateDir, "INLAY_TEST_VICTIM_ROOT="+e.root,
			"INLAY_TEST_SCRIPT=sleep "+mark, "INLAY_RUNC="+program)
		must(t, cmd.Start())
		time.Sleep(time.Duration(i*4) * time.Millisecond)
		must(t, cmd.Process.Kill())
		_ = cmd.Wait()
		eventually(t, time.Second, "all processes are gone", func() bool {
			return len(running(mark)) == 0 && len(running(program)) == 0
		})
		if _, err := runtime.Sweep(e.config.StateDir); err != nil {
			t.Fatal(err)
		}
		if left := e.leftovers(); len(left) > 0 {
			t.Fatalf("killed after %d ms, left behind: %q", i*4, left)
		}
	}
	noNewCgroups(t, before)
}
