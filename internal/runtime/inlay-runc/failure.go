//go:build linux && cgo

package main

import (
	"io"
	"os"
	"strings"

	"github.com/opencontainers/runc/libcontainer"
)

// failure hears why the program could not be executed, after runc has no way
// left to report it.
type failure struct {
	in, out *os.File
}

// newFailure gives the process wire.FailureFd, until it executes its program.
func newFailure(p *libcontainer.Process) (*failure, error) {
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.ExtraFiles = []*os.File{in} // the first of them is descriptor 3
	return &failure{in: in, out: out}, nil
}

// started lets go of what the process holds now.
func (f *failure) started() { f.in.Close() }

func (f *failure) close() {
	f.in.Close()
	f.out.Close()
}

// text gives what was said, when the process has ended; "" if it ran.
func (f *failure) text() string {
	b, _ := io.ReadAll(io.LimitReader(f.out, 64<<10))
	return strings.TrimSpace(string(b))
}
