package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/inlaybuild/inlay/internal/daemontest"
)

// atDaemon is the daemon that these tests share; it ends with the last of them.
var atDaemon struct {
	sync.Mutex
	users  int
	daemon *daemontest.Daemon
}

// newSessionsAtDaemon makes sessions whose processes run at a BuildKit daemon.
func newSessionsAtDaemon(t *testing.T) *sessions {
	t.Helper()
	daemontest.Skip(t)
	shim := os.Getenv("INLAY_SHIM")
	if shim == "" {
		shim = filepath.Join(t.TempDir(), "inlay-shim")
		c := exec.Command("go", "build", "-o", shim, "../inlay-shim")
		c.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	s := newSessions(t)
	atDaemon.Lock()
	defer atDaemon.Unlock()
	if atDaemon.users == 0 {
		var err error
		if atDaemon.daemon, err = daemontest.Start(); err != nil {
			t.Fatal(err)
		}
	}
	atDaemon.users++
	t.Cleanup(func() {
		atDaemon.Lock()
		defer atDaemon.Unlock()
		if atDaemon.users--; atDaemon.users == 0 {
			atDaemon.daemon.Close()
		}
	})
	s.env = append(s.env, "INLAY_SHIM="+shim, "INLAY_ENGINE=buildkit://"+atDaemon.daemon.Address)
	return s
}

func TestAFailedStepAtADaemonIsStoodIn(t *testing.T) {
	s := newSessionsAtDaemon(t)
	screen := newScreen(t, append(s.env, "TOKEN=the-secret")...)
	before := screen.settings()
	screen.begin("inlay do 'from box | with-workdir /work | with-env WHO me | with-mounted-secret /run/token env:TOKEN | " +
		`with-mounted-directory /tools $(from box | with-exec -- sh -c "mkdir /t; echo sharp > /t/tool") | ` +
		`with-exec -- sh -c "echo first > a; echo half > /out; cat /proc/uptime > /when; cat /run/token > /dev/null; exit 6"'; echo code $?`)
	screen.waitFor("\ncode 6\n")
	screen.begin("inlay shell last@failed; echo code $?")
	screen.waitFor("/work #")
	screen.line("cat a /out /run/token; echo; cat /tools/t/tool; echo $WHO; pwd; tty; stty size; echo new > b; exit 2")
	seen := screen.waitFor("\ncode 2\n")
	want := "; exit 2\nfirst\nhalf\nthe-secret\nsharp\nme\n/work\n/dev/pts/0\n30 100\n" +
		"2 paths changed, and not kept, as --keep NAME would have done\ninlay: exited with code 2"
	if !strings.Contains(seen, want) || !strings.Contains(seen, ": failed\n") {
		t.Errorf("want %q, seen:\n%s", want, seen)
	}
	// It is looked at as it was, not run again.
	first := s.run("cat", "last@failed", "/when")
	screen.begin("inlay shell last@failed -- sh -c 'cat /when; printf LAST-NO-EOL; exit 7'; echo code $?")
	if seen = screen.waitFor("\ncode 7\n"); !strings.Contains(seen, first+"LAST-NO-EOL\ninlay: exited with code 7 after ") {
		t.Errorf("it was %q, seen:\n%s", first, seen)
	}
	// A secret that is not there any more is missed before anything runs.
	screen.begin("unset TOKEN; inlay shell last@failed; echo code $?")
	screen.waitFor("the variable TOKEN is not set")
	if after := screen.settings(); after != before {
		t.Errorf("the terminal was left as\n%s, and was\n%s", after, before)
	}
}

func TestAPipelineAtADaemonGoesOnWithWhatIsKeptOfATerminal(t *testing.T) {
	s := newSessionsAtDaemon(t)
	screen := newScreen(t, s.env...)
	screen.begin(`inlay do 'from box | with-exec -- sh -c "echo one > /a" | terminal --keep | with-exec -- cat /a /b | stdout'; echo code $?`)
	screen.waitFor("/ #")
	screen.line("echo two > /b; rm /bin/wc; exit 9")
	seen := screen.waitFor("\ncode 0\n")
	for _, want := range []string{" => terminal: exited with code 9 after ", "going on with 3 paths changed\n", "\none\ntwo\n"} {
		if !strings.Contains(seen, want) {
			t.Errorf("%q is not to be seen:\n%s", want, seen)
		}
	}
	screen.begin(`inlay do --on-failure shell 'from box | with-exec -- sh -c "echo half > /out; exit 6"'; echo code $?`)
	screen.waitFor("/ #")
	screen.line("cat /out; exit 2")
	if seen = screen.waitFor("\ncode 6\n"); !strings.Contains(seen, "; exit 2\nhalf\ninlay: exited with code 2 after ") {
		t.Errorf("seen:\n%s", seen)
	}
}

func TestAKilledClientLeavesNothingAtADaemon(t *testing.T) {
	s, m := newSessionsAtDaemon(t), marker(t)
	for _, end := range []func(c *client){
		func(c *client) { must(t, c.cmd.Process.Kill()) },
		func(c *client) { must(t, c.ours.Close()) }, // its terminal is closed
	} {
		c := s.start("shell", "box", "--", "sh", "-c", `trap "" TERM HUP INT; setsid sleep `+m+` & echo ready; stty raw -echo; sleep `+m)
		c.untilWritten("ready")
		end(c)
		_ = c.cmd.Wait()
		c.until("quiet", func() bool {
			return exec.Command("sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' '\\n' | grep -qxF "+m).Run() != nil
		})
	}
	s.run("fsck")
}

func TestAFloodAtADaemonIsPassedOn(t *testing.T) {
	s, m := newSessionsAtDaemon(t), marker(t)
	c := s.start("shell", "box", "--", "sh", "-c", `dd if=/dev/zero bs=64k count=64 2>/dev/null; printf last; exit 6`)
	c.ends(6, m)
	c.untilWritten("last\r\ninlay: exited with code 6 after ")
	c.mu.Lock()
	if size := int64(4 << 20); c.size < size || c.size > size+1000 {
		t.Errorf("%d bytes came, and %d were written", c.size, size)
	}
	c.mu.Unlock()
	c = s.start("shell", "box", "--", "yes")
	c.untilWritten("y\r\ny\r\n")
	_, err := c.ours.Write([]byte{3})
	must(t, err)
	c.ends(130, m)
	c.untilWritten("inlay: killed by signal 2 (interrupt) after ")
}
