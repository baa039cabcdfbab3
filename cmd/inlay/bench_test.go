package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
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
