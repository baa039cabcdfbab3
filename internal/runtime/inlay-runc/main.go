//go:build linux && cgo

// Command inlay-runc is runc as Inlay needs it: libcontainer, with one verb. It
// reads a request from file descriptor 3, runs that process in that root, and
// writes how it ended to file descriptor 4 (see the package wire). Inlay starts
// it; it is of no use by hand. Its other verb guards a terminal that Inlay has made
// raw, and must outlive Inlay to put it back.
//
// It needs cgo and libseccomp (Debian: libseccomp-dev):
//
//	go build -tags seccomp -o bin/ ./cmd/inlay ./internal/runtime/inlay-runc
//
// It is meant to be the first process of a new pid namespace and of a new mount
// namespace, so that its end is the end of all that it started.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/inlaybuild/inlay/internal/runtime/wire"
	"github.com/opencontainers/runc/libcontainer"
	_ "github.com/opencontainers/runc/libcontainer/nsenter" // joins namespaces before Go's own threads start
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == "init" {
		// What libcontainer cannot report otherwise, that execve(2) failed, it
		// writes to standard error, which is the process' own.
		closeOnExec(wire.FailureFd)
		os.Stderr = os.NewFile(wire.FailureFd, "failure")
		libcontainer.Init()
		return
	}
	if len(os.Args) == 2 && os.Args[1] == wire.RestoreVerb {
		restore()
		return
	}
	if len(os.Args) != 2 || os.Args[1] != "run" {
		fmt.Fprintln(os.Stderr, "inlay-runc: a part of inlay, which starts it; to run a process use: inlay do 'from SRC | with-exec -- CMD'")
		os.Exit(2)
	}
	report := serve()
	report.Version = wire.Version
	if err := json.NewEncoder(os.NewFile(wire.ReportFd, "report")).Encode(report); err != nil {
		os.Exit(1)
	}
}

func serve() wire.Report {
	for fd := range wire.ConsoleFd + 1 {
		if fd >= wire.RequestFd {
			closeOnExec(fd)
		}
	}
	var request wire.Request
	if err := json.NewDecoder(os.NewFile(wire.RequestFd, "request")).Decode(&request); err != nil {
		return wire.Report{Error: "inlay-runc: reading the request: " + err.Error()}
	}
	if request.Version != wire.Version {
		return wire.Report{Error: fmt.Sprintf("inlay-runc speaks version %d and inlay version %d: build both from the same source", wire.Version, request.Version)}
	}
	report, err := run(&request)
	if err != nil {
		report.Error = err.Error()
	}
	return report
}
