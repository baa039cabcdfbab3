//go:build linux

package runtime

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/inlaybuild/inlay/internal/runtime/wire"
)

func signal(n int) syscall.Signal { return syscall.Signal(n) }

// maxReport bounds what is read of inlay-runc's report.
const maxReport = 1 << 20

// launch starts inlay-runc, hands it the request and the streams of p, and waits
// until it and everything below it is gone. The calling goroutine is locked to
// its thread. The report is nil when inlay-runc was
// killed.
func launch(ctx context.Context, program string, p *Process, request *wire.Request) (*wire.Report, error) {
	message, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	var opened files
	defer opened.close()
	requestOut, requestIn, err := opened.pipe()
	if err != nil {
		return nil, err
	}
	reportOut, reportIn, err := opened.pipe()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(program, "run")
	cmd.Env = []string{}
	cmd.Dir = "/"
	cmd.ExtraFiles = []*os.File{requestOut, reportIn} // descriptors 3 and 4
	theirs := []*os.File{requestOut, reportIn}
	var term *console
	if p.Terminal != nil {
		if term, err = newConsole(&opened); err != nil {
			return nil, err
		}
		cmd.ExtraFiles = append(cmd.ExtraFiles, term.theirs)
		theirs = append(theirs, term.theirs)
	} else {
		stdin, err := feed(p.Stdin, &opened)
		if err != nil {
			return nil, err
		}
		cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, p.Stdout, p.Stderr
		if stdin != nil && stdin != p.Stdin {
			theirs = append(theirs, stdin.(*os.File))
		}
	}
	if err := startSupervised(cmd); err != nil {
		return nil, fmt.Errorf("starting %s: %w", program, err)
	}
	for _, f := range theirs {
		f.Close()
	}
	stop := context.AfterFunc(ctx, func() { end(cmd.Process, p.Grace) })
	defer stop()
	ended := make(chan struct{})
	defer close(ended)
	go pass(cmd.Process, p.Signals, ended)
	if term != nil {
		term.start(p)
		defer term.finish()
	}
	_, writeErr := requestIn.Write(message)
	requestIn.Close()
	reply, readErr := io.ReadAll(io.LimitReader(reportOut, maxReport))
	waitErr := cmd.Wait()
	return parseReport(reply, errors.Join(writeErr, readErr), waitErr)
}

func parseReport(reply []byte, ioErr, waitErr error) (*wire.Report, error) {
	var status *exec.ExitError
	if len(bytes.TrimSpace(reply)) == 0 {
		return nil, fmt.Errorf("%s ended without a report: %w", Program, errors.Join(waitErr, ioErr))
	}
	report := new(wire.Report)
	if err := json.Unmarshal(reply, report); err != nil {
		return nil, fmt.Errorf("report of %s: %w", Program, err)
	}
	if report.Version != wire.Version {
		return nil, fmt.Errorf("%s speaks version %d and inlay version %d: build both from the same source", Program, report.Version, wire.Version)
	}
	if waitErr != nil && !errors.As(waitErr, &status) {
		return report, fmt.Errorf("output of the process: %w", waitErr)
	}
	return report, nil
}

// startSupervised starts cmd as the first process of a new pid namespace, to be
// killed with the calling thread, which the caller keeps until cmd has ended.
func startSupervised(cmd *exec.Cmd) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS,
		Pdeathsig:  syscall.SIGKILL,
		Setpgid:    true, // ^C at the user's terminal is the engine's to handle
	}
	return cmd.Start()
}

// pass sends signals on, until the process has ended.
func pass(process *os.Process, signals <-chan syscall.Signal, ended <-chan struct{}) {
	for {
		select {
		case <-ended:
			return
		case s, ok := <-signals:
			if !ok {
				return
			}
			_ = process.Signal(s)
		}
	}
}

// end asks every process of the container to end, and after grace ends them.
func end(process *os.Process, grace time.Duration) {
	if grace > 0 && process.Signal(syscall.SIGTERM) == nil {
		deadline := time.Now().Add(grace)
		for time.Now().Before(deadline) {
			if process.Signal(syscall.Signal(0)) != nil {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	_ = process.Kill()
}

// feed gives what becomes the process' standard input: a file as it is, or the
// reading end of a pipe that r is copied to for as long as somebody reads.
func feed(r io.Reader, opened *files) (io.Reader, error) {
	if r == nil {
		return nil, nil
	}
	if f, ok := r.(*os.File); ok {
		return f, nil
	}
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	opened.add(out)
	go func() {
		_, _ = io.Copy(in, r)
		in.Close()
	}()
	return out, nil
}
