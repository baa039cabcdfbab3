package store

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

// HoldGate stays inside the gate as a process that hangs there would.
func (s *Store) HoldGate(t testing.TB) (release func()) {
	f, err := os.Open(s.path("leases", sweepName))
	if err != nil {
		t.Fatal(err)
	}
	if ok, err := tryFlock(f, unix.LOCK_SH); !ok || err != nil {
		t.Fatal(ok, err)
	}
	return func() { f.Close() }
}
