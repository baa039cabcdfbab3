// Command bench measures inlay from outside, as its users meet it: by its
// command line, beside the least that any program must do for the same end.
//
//	bench [flags]      all measurements, as a table of medians
//
// See README.md in this folder for what each line means.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// setup is what the measurements share.
type setup struct {
	inlay  string // the program
	runc   string // runc of the same version; "" leaves its measurements out
	debian string // a Debian root on disk
	work   string // scratch space, on a real file system
	runs   int    // of each measurement
	table  *table
}

// measurement is one function that adds lines to the table.
type measurement struct {
	name string
	run  func(context.Context, *setup) error
}

func run(ctx context.Context) error {
	var s setup
	var only, imageSize string
	var entries int
	flag.StringVar(&s.inlay, "inlay", "bin/inlay", "the program that is measured")
	flag.StringVar(&s.runc, "runc", "", "runc, to compare with; nothing leaves it out")
	flag.StringVar(&s.debian, "debian", "", "directory of a Debian root")
	flag.StringVar(&s.work, "work", "", "directory for what is made on the way; by default a new one in /var/tmp")
	flag.IntVar(&s.runs, "runs", 7, "runs of each measurement; the table has medians")
	flag.StringVar(&imageSize, "image", "1GiB", "unpacked size of the big image")
	flag.IntVar(&entries, "entries", 1_000_000, "entries of the wide tree")
	flag.StringVar(&only, "only", "", "measure only these, separated by commas: import,cached,exec,image,entries")
	flag.Parse()

	size, err := parseSize(imageSize)
	if err != nil {
		return err
	}
	if s.debian == "" {
		return fmt.Errorf("-debian is missing: the directory of a Debian root, such as scripts/debian-root makes")
	}
	if s.work == "" {
		dir, err := os.MkdirTemp("/var/tmp", "inlay-bench-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		s.work = dir
	}
	if s.inlay, err = filepath.Abs(s.inlay); err != nil {
		return err
	}
	s.table = newTable(os.Stdout)
	for _, m := range []measurement{
		{"import", measureImport},
		{"cached", measureCached},
		{"exec", measureExec},
		{"image", func(ctx context.Context, s *setup) error { return measureImage(ctx, s, size) }},
		{"entries", func(ctx context.Context, s *setup) error { return measureEntries(ctx, s, entries) }},
	} {
		if only != "" && !contains(only, m.name) {
			continue
		}
		if err := m.run(ctx, &s); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	return nil
}

func contains(list, name string) bool {
	for _, n := range strings.Split(list, ",") {
		if n == name {
			return true
		}
	}
	return false
}
