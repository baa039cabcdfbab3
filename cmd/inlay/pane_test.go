package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// pane is a terminal with a shell in it, as a person sees it: tmux draws it.
type pane struct {
	t   *testing.T
	dir string // where the shell is
	env []string
}

// newPane opens a terminal with a store and a home of its own.
func newPane(t *testing.T) *pane {
	t.Helper()
	if _, err := exec.LookPath("tmux"); err != nil {
		t.Skip("needs tmux, which judges what is seen")
	}
	p := &pane{t: t, dir: t.TempDir()}
	p.env = append(os.Environ(), "LC_ALL=C.UTF-8", "TERM=screen-256color", "TMUX=", "HOME="+p.dir, "XDG_STATE_HOME=",
		"INLAY_STORE="+filepath.Join(p.dir, ".store"), "NO_COLOR=1")
	p.tmux("-u", "new-session", "-d", "-x", "120", "-y", "200", "-c", p.dir, "sh")
	t.Cleanup(func() { p.tmux("kill-server") })
	p.line("PS1='shell> '; clear", "shell>")
	return p
}

func (p *pane) tmux(args ...string) string {
	p.t.Helper()
	cmd := exec.Command("tmux", append([]string{"-S", filepath.Join(p.dir, ".tmux"), "-f", "/dev/null"}, args...)...)
	cmd.Env = p.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Fatalf("tmux %s: %v\n%s", args, err, out)
	}
	return string(out)
}

// keys types keys, as tmux calls them, or text.
func (p *pane) keys(keys ...string) { p.t.Helper(); p.tmux(append([]string{"send-keys"}, keys...)...) }

// line types a line, and waits for what is to be seen then.
func (p *pane) line(text, want string) string {
	p.t.Helper()
	p.keys(text, "Enter")
	return p.waitFor(want)
}

// seen gives what is on the screen, without empty lines at the end.
func (p *pane) seen() string {
	p.t.Helper()
	return strings.TrimRight(p.tmux("capture-pane", "-p"), "\n ")
}

// waitFor waits until the screen ends in something.
func (p *pane) waitFor(end string) string {
	p.t.Helper()
	return p.wait(end, func(seen string) bool { return strings.HasSuffix(seen, end) })
}

func (p *pane) wait(what string, is func(seen string) bool) string {
	p.t.Helper()
	for range 1000 {
		if seen := p.seen(); is(seen) {
			return seen
		}
		time.Sleep(20 * time.Millisecond)
	}
	p.t.Fatalf("not seen: %q, but\n%s", what, p.seen())
	return ""
}

// run runs the command without a terminal and gives what it wrote.
func (p *pane) run(args ...string) string {
	p.t.Helper()
	cmd := exec.Command("inlay", args...)
	cmd.Env, cmd.Dir = p.env, p.dir
	out, err := cmd.Output()
	if err != nil {
		p.t.Fatalf("inlay %s: %v", args, err)
	}
	return string(out)
}
