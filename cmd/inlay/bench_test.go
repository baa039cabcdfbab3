package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// BenchmarkDoCached measures a pipeline of ten steps of which nothing has to be
// made again, from the start of the program to its end.
func BenchmarkDoCached(b *testing.B) {
	benchmarkCommand(b, "do", "from base | with-new-directory /a | with-new-file /a/b hello | with-symlink /a/b /c | "+
		"with-file /bin/tool ./tool | with-directory /d ./dir | with-env A=b | with-workdir /a | without-file /c | digest")
}

// BenchmarkVersion measures the start of the program alone.
func BenchmarkVersion(b *testing.B) { benchmarkCommand(b, "version") }

func benchmarkCommand(b *testing.B, args ...string) {
	dir := b.TempDir()
	program := filepath.Join(dir, "inlay")
	if out, err := exec.Command("go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	for _, name := range []string{"base/usr/bin/sh", "dir/x/y", "tool"} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			b.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o755); err != nil {
			b.Fatal(err)
		}
	}
	run := func(args ...string) {
		c := exec.Command(program, args...)
		c.Dir = dir
		c.Env = append(os.Environ(), "INLAY_STORE="+filepath.Join(dir, "store"))
		if out, err := c.CombinedOutput(); err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
	}
	run("import", "dir:base", "base")
	run(args...)
	for b.Loop() {
		run(args...)
	}
}

// BenchmarkShellToFirstPrompt measures from the start of the program to the first
// prompt of a shell, in a tree that is there already.
func BenchmarkShellToFirstPrompt(b *testing.B) {
	s := newSessions(b)
	s.program = filepath.Join(b.TempDir(), "inlay")
	if out, err := exec.Command("go", "build", "-o", s.program, ".").CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	tree, prompt := "box", "/ # "
	if debian := os.Getenv("INLAY_TEST_DEBIAN"); debian != "" {
		s.run("import", "dir:"+debian, "debian")
		tree, prompt = "debian", "root@inlay:/# "
	}
	best := time.Hour
	session := func() {
		started := time.Now()
		c := s.start("shell", tree)
		c.untilWritten(prompt)
		best = min(best, time.Since(started))
		b.StopTimer()
		if _, err := c.ours.WriteString("\x04"); err != nil {
			b.Fatal(err)
		}
		c.ends(0, "no process has this argument")
		b.StartTimer()
	}
	session() // its root is prepared by the first
	for b.Loop() {
		session()
	}
	b.ReportMetric(float64(best.Milliseconds()), "ms-best") // when nobody else uses the machine, the others are about as good
}
