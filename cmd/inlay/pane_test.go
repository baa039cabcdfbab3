package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// pane is a screen with a store and a home of its own, in whose directory the
// shell is.
type pane struct {
	*screen
	dir string
	env []string
}

func newPane(t *testing.T) *pane {
	t.Helper()
	dir := t.TempDir()
	env := []string{"HOME=" + dir, "XDG_STATE_HOME=", "INLAY_STORE=" + filepath.Join(dir, ".store"), "INLAY_RUNC=" + os.Getenv("INLAY_RUNC"), "NO_COLOR=1", "HISTFILE="}
	p := &pane{newScreen(t, env...), dir, append(os.Environ(), env...)}
	p.line("cd "+dir+"; clear", "$")
	return p
}

// line types a line, and waits for what is to be seen then at the end.
func (p *pane) line(text, want string) string {
	p.t.Helper()
	before := p.seen()
	p.screen.line(text)
	return p.wait(fmt.Sprintf("%q at the end", want), func(seen string) bool {
		return seen != before && strings.HasSuffix(strings.TrimRight(seen, "\n"), want)
	})
}

// waitEnd waits until the screen ends in something.
func (p *pane) waitEnd(end string) string {
	p.t.Helper()
	return p.wait(fmt.Sprintf("%q at the end", end), func(seen string) bool { return strings.HasSuffix(strings.TrimRight(seen, "\n"), end) })
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
