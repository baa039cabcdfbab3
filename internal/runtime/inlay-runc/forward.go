//go:build linux && cgo

package main

import (
	"os"
	ossignal "os/signal"

	"golang.org/x/sys/unix"
)

// caught gives the signals that are for the container: from now on they do not
// end this program.
func caught() <-chan os.Signal {
	signals := make(chan os.Signal, 16)
	ossignal.Notify(signals, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2)
	return signals
}

// forward passes signals on to every process of this pid namespace, and so to
// the whole container.
func forward(signals <-chan os.Signal) {
	for s := range signals {
		if number, ok := s.(unix.Signal); ok {
			_ = unix.Kill(-1, number)
		}
	}
}
