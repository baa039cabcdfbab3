package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// sample is what one process took.
type sample struct {
	wall   time.Duration
	cpu    time.Duration // of it and of the children that it waited for
	memory int64         // the most that was resident, bytes
}

// inStore runs inlay on a store and gives what that took. Its output is dropped;
// that of a failure is in the error.
func (s *setup) inStore(ctx context.Context, store string, args ...string) (sample, error) {
	return timed(ctx, append([]string{s.inlay, "--store", store, "--progress", "quiet"}, args...)...)
}

// timed runs a command to its end.
func timed(ctx context.Context, args ...string) (sample, error) {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	start := time.Now()
	err := cmd.Run()
	wall := time.Since(start)
	if err != nil {
		return sample{}, fmt.Errorf("%s: %w\n%s", strings.Join(args, " "), err, out.String())
	}
	m := sample{wall: wall, cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		m.memory = usage.Maxrss * 1024
	}
	return m, nil
}

// repeat gives the samples of s.runs runs, in the order of their wall times.
// prepare goes before each, unmeasured.
func (s *setup) repeat(prepare func(n int) error, run func(n int) (sample, error)) ([]sample, error) {
	var all []sample
	for n := range s.runs {
		if prepare != nil {
			if err := prepare(n); err != nil {
				return nil, err
			}
		}
		m, err := run(n)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	slices.SortFunc(all, func(a, b sample) int { return int(a.wall - b.wall) })
	return all, nil
}

// fresh makes a directory anew.
func fresh(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.MkdirAll(dir, 0o700)
}
