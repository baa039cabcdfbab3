package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// screen is a terminal that tmux draws: what its capture-pane shows is what a
// person sees. A bash without settings runs in it, with the prompt "$ ".
type screen struct {
	t      *testing.T
	socket string
}

// newScreen starts it, with more variables.
func newScreen(t *testing.T, env ...string) *screen {
	t.Helper()
	for _, name := range []string{"tmux", "bash"} {
		if _, err := exec.LookPath(name); err != nil {
			t.Skipf("needs %s", name)
		}
	}
	dir, err := os.MkdirTemp("", "inlay") // for a socket, whose path must be short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &screen{t: t, socket: filepath.Join(dir, "s")}
	config := filepath.Join(dir, "conf")
	if err := os.WriteFile(config, []byte("set -g history-limit 20000\nset -g default-terminal screen-256color\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args := []string{"-f", config, "new-session", "-d", "-x", "100", "-y", "30"}
	for _, e := range append(env, "HISTFILE=", "PS1=$ ", "PATH="+os.Getenv("PATH"), "LC_ALL=C.UTF-8") {
		args = append(args, "-e", e)
	}
	s.tmux(append(args, "bash", "--norc", "--noprofile")...)
	t.Cleanup(func() { _ = exec.Command("tmux", "-S", s.socket, "kill-server").Run() })
	s.wait("the prompt", func(seen string) bool { return strings.HasPrefix(seen, "$") })
	return s
}

func (s *screen) tmux(args ...string) string {
	s.t.Helper()
	out, err := exec.Command("tmux", append([]string{"-S", s.socket}, args...)...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("tmux %q: %v\n%s", args, err, out)
	}
	return string(out)
}

// keys types: names of keys as tmux has them, or text.
func (s *screen) keys(keys ...string) {
	s.t.Helper()
	s.tmux(append([]string{"send-keys"}, keys...)...)
}

// line types a line.
func (s *screen) line(text string) {
	s.t.Helper()
	s.tmux("send-keys", "-l", text)
	s.keys("Enter")
}

// begin types a line at the prompt of an empty screen.
func (s *screen) begin(text string) {
	s.t.Helper()
	s.line("clear")
	for end := time.Now().Add(20 * time.Second); strings.TrimSpace(s.tmux("capture-pane", "-p")) != "$"; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("the screen is not cleared:\n%s", s.seen())
		}
	}
	s.tmux("clear-history")
	s.line(text)
}

// seen gives what is to be seen, with all that was scrolled away, and no spaces at
// the ends of lines or lines that were wrapped.
func (s *screen) seen() string {
	s.t.Helper()
	var b strings.Builder
	for line := range strings.Lines(s.tmux("capture-pane", "-p", "-J", "-S", "-")) {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return strings.TrimRight(b.String(), "\n") + "\n"
}

// wait waits until what is seen is what is wanted, and gives it.
func (s *screen) wait(what string, wanted func(seen string) bool) string {
	s.t.Helper()
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		seen := s.seen()
		if wanted(seen) {
			return seen
		}
		if time.Now().After(end) {
			s.t.Fatalf("%s is not to be seen:\n%s", what, seen)
		}
	}
}

// waitFor waits until a text is seen.
func (s *screen) waitFor(text string) string {
	s.t.Helper()
	return s.wait(fmt.Sprintf("%q", text), func(seen string) bool { return strings.Contains(seen, text) })
}

// settings gives what stty(1) says of the terminal. Bash has its own settings while
// it reads a line, and puts them back before it runs something: so this is what it
// has found.
func (s *screen) settings() string {
	s.t.Helper()
	file := filepath.Join(filepath.Dir(s.socket), "stty")
	os.Remove(file)
	s.line("stty -a > " + file + ".new && mv " + file + ".new " + file)
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if b, err := os.ReadFile(file); err == nil {
			return string(b)
		}
	}
	s.t.Fatalf("stty says nothing:\n%s", s.seen())
	return ""
}
