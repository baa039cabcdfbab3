//go:build linux

package terminal

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"

	"github.com/inlaybuild/inlay/internal/runtime/wire"
	"golang.org/x/sys/unix"
)

// watcher is the process that puts the terminal back when this one is killed.
type watcher struct {
	cmd *exec.Cmd
	to  io.WriteCloser // its end without a word is our death
}

// watch starts it. It runs in a session of its own, so that what is sent to ours
// does not reach it, and it may change a terminal that is not its own.
func watch(program string, in *os.File, saved, raw unix.Termios) (*watcher, error) {
	message, err := json.Marshal(wire.Restore{Saved: saved, Raw: raw})
	if err != nil {
		return nil, err
	}
	w := &watcher{cmd: exec.Command(program, wire.RestoreVerb)}
	w.cmd.Env, w.cmd.Dir = []string{}, "/"
	w.cmd.ExtraFiles = []*os.File{in} // wire.TerminalFd
	w.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if w.to, err = w.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := w.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting what guards the terminal: %w", err)
	}
	if _, err := w.to.Write(append(message, '\n')); err != nil {
		w.end()
		return nil, fmt.Errorf("what guards the terminal ended: %w", err)
	}
	return w, nil
}

// end lets it go.
func (w *watcher) end() {
	_, _ = io.WriteString(w.to, wire.Restored)
	w.to.Close()
	_ = w.cmd.Wait() // it does as it is told, or is gone already
}
