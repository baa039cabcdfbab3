package daemon_test

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/internal/daemon"
	"github.com/inlaybuild/inlay/internal/daemontest"
)

// stalling passes on what is said to a daemon, and of each connection some of what the
// daemon says; then nothing more comes.
func stalling(t *testing.T, d *daemontest.Daemon, most int) (address string) {
	at := filepath.Join(t.TempDir(), "stalled")
	l, err := net.Listen("unix", at)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			from, err := l.Accept()
			if err != nil {
				return
			}
			to, err := net.Dial("unix", strings.TrimPrefix(d.Address, "unix://"))
			if err != nil {
				from.Close()
				continue
			}
			go pass(to, from, 1<<62)
			go pass(from, to, most)
		}
	}()
	return "unix://" + at
}

// pass copies up to a number of bytes, in whole pieces, and takes what follows.
func pass(to, from net.Conn, most int) {
	defer from.Close()
	b := make([]byte, 4096)
	for {
		n, err := from.Read(b)
		if err != nil {
			return
		}
		if most <= 0 {
			continue
		}
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
		most -= n
	}
}

func TestADaemonThatSaysNoMoreWhileASessionBeginsIsAnErrorThatNamesIt(t *testing.T) {
	daemontest.Skip(t)
	d, err := daemontest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	daemon.SetPatience(2 * time.Second)
	for _, most := range []int{1, 100} {
		at := stalling(t, d, most)
		got := make(chan error, 1)
		go func() {
			d, err := daemon.Dial(t.Context(), daemon.Options{Address: daemon.Address{URL: at}})
			if err == nil {
				err = d.Close()
			}
			got <- err
		}()
		select {
		case err := <-got:
			if err == nil || (!strings.Contains(err.Error(), at) || !strings.Contains(err.Error(), "does not answer")) {
				t.Errorf("after %d bytes: %v", most, err)
			}
		case <-time.After(time.Minute):
			t.Fatalf("after %d bytes it waits for ever", most)
		}
	}
}
