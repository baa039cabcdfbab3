package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// sessions is a store with the tree "box", and what runs inlay on it.
type sessions struct {
	t       testing.TB
	program string // inlay
	store   string
	env     []string
}

// newSessions makes a store with a tree "box" that has busybox for a shell, and
// the programs of this machine that are named, with their libraries.
func newSessions(t testing.TB, programs ...string) *sessions {
	t.Helper()
	box, program := busybox(), os.Getenv("INLAY_RUNC")
	if program == "" {
		program = runc(t)
	}
	if os.Getuid() != 0 || program == "" || box == "" {
		t.Skip("running processes needs root, inlay-runc and a static busybox")
	}
	if t, ok := t.(*testing.T); ok {
		t.Parallel()
	}
	s := &sessions{t: t, program: "inlay", store: filepath.Join(t.TempDir(), "store")}
	s.env = []string{"INLAY_STORE=" + s.store, "INLAY_RUNC=" + program, "INLAY_BUSYBOX=" + box, "HOME=" + t.TempDir()}
	root := t.TempDir()
	copyFile(t, box, filepath.Join(root, "bin/busybox"))
	for _, name := range strings.Fields("sh ash sleep seq stty cat ls yes head mkdir touch echo rm trap true setsid kill wc printf tr env id dd") {
		must(t, os.Symlink("busybox", filepath.Join(root, "bin", name)))
	}
	for _, dir := range []string{"tmp", "root", "etc"} {
		must(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
	}
	must(t, os.Chmod(filepath.Join(root, "tmp"), 0o1777))
	must(t, os.WriteFile(filepath.Join(root, "etc/passwd"), []byte("root:x:0:0::/root:/bin/sh\n"), 0o644))
	for _, name := range programs {
		withLibraries(t, name, root)
	}
	s.run("import", "dir:"+root, "box")
	return s
}

// run runs inlay, which must end well, and gives what it wrote.
func (s *sessions) run(args ...string) string {
	s.t.Helper()
	cmd := s.command(args...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		s.t.Fatalf("inlay %q: %v\n%s", args, err, out)
	}
	return string(out)
}

func (s *sessions) command(args ...string) *exec.Cmd {
	s.t.Helper()
	cmd := exec.Command(s.program, args...)
	cmd.Env = append(os.Environ(), s.env...)
	return cmd
}

// withLibraries copies a program of this machine, and all libraries that it is
// linked to, to the same places below root; and what describes terminals.
func withLibraries(t testing.TB, name, root string) {
	t.Helper()
	program, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("needs %s", name)
	}
	out, err := exec.Command("ldd", program).Output()
	if err != nil {
		t.Skipf("ldd %s: %v", program, err)
	}
	for _, file := range append(regexp.MustCompile(`/\S+`).FindAllString(string(out), -1), program) {
		copyFile(t, file, filepath.Join(root, file))
	}
	for _, file := range []string{"/lib/terminfo/s/screen-256color", "/lib/terminfo/s/screen", "/usr/lib/locale/C.utf8/LC_CTYPE"} {
		if _, err := os.Stat(file); err == nil {
			copyFile(t, file, filepath.Join(root, file))
		}
	}
}

func copyFile(t testing.TB, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	must(t, err)
	must(t, os.MkdirAll(filepath.Dir(to), 0o755))
	must(t, os.WriteFile(to, b, 0o755))
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// nothingRuns fails the test when a process has the marker in its command line, or
// anything is mounted in the store or half-made there.
func (s *sessions) nothingLeft(marker string) {
	s.t.Helper()
	for _, pattern := range []string{"/proc/[0-9]*/cmdline", "/proc/[0-9]*/mountinfo"} {
		files, err := filepath.Glob(pattern)
		must(s.t, err)
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				continue // it has ended
			}
			if strings.HasSuffix(file, "cmdline") && strings.Contains(string(b), marker) {
				s.t.Errorf("still running: %s: %q", file, b)
			}
			if strings.HasSuffix(file, "mountinfo") && strings.Contains(string(b), s.store) {
				s.t.Errorf("still mounted in the store: see %s", file)
			}
		}
	}
	for _, pattern := range []string{"state/*", "roots/run-*", "ingest/*"} {
		left, err := filepath.Glob(filepath.Join(s.store, pattern))
		must(s.t, err)
		if len(left) > 0 {
			s.t.Errorf("left in the store: %q", left)
		}
	}
}
