//go:build linux && cgo

package main

import (
	"bufio"
	"encoding/json"
	"io"
	"os"

	"github.com/inlaybuild/inlay/internal/runtime/wire"
	"golang.org/x/sys/unix"
)

// restore waits for the end of the engine, and then puts its user's terminal back.
func restore() {
	in := bufio.NewReader(os.Stdin)
	line, err := in.ReadBytes('\n')
	if err != nil {
		return // it was gone before it began
	}
	var r wire.Restore
	if err := json.Unmarshal(line, &r); err != nil {
		return
	}
	if said, _ := io.ReadAll(io.LimitReader(in, int64(len(wire.Restored)))); string(said) == wire.Restored {
		return
	}
	// Who has other settings by now has its own idea of what is right: a shell
	// that we were started from, most often.
	now, err := unix.IoctlGetTermios(wire.TerminalFd, unix.TCGETS)
	if err == nil && *now == r.Raw {
		_ = unix.IoctlSetTermios(wire.TerminalFd, unix.TCSETS, &r.Saved)
	}
}
