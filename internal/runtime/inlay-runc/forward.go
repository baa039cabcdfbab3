//go:build linux && cgo

package main

import (
	"os"
	ossignal "os/signal"

	"golang.org/x/sys/unix"
)

// forward passes SIGTERM on to every process of this pid namespace, and so to
// the whole container.
func forward() {
	signals := make(chan os.Signal, 1)
	ossignal.Notify(signals, unix.SIGTERM)
	for range signals {
		_ = unix.Kill(-1, unix.SIGTERM)
	}
}
