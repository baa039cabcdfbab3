//go:build linux && cgo

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/inlaybuild/inlay/internal/runtime/wire"
	_ "github.com/opencontainers/cgroups/devices" // device rules
	"github.com/opencontainers/runc/libcontainer"
	"github.com/opencontainers/runc/libcontainer/configs"
	"github.com/opencontainers/runc/libcontainer/specconv"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"
)

func closeOnExec(fd int) { unix.CloseOnExec(fd) }

// run makes the container, waits for its process, and takes it all away.
func run(request *wire.Request) (report wire.Report, err error) {
	logrus.SetLevel(logrus.PanicLevel) // the process owns standard error
	unix.Umask(0o022)                  // of who makes the working directory: the caller's is no part of the root
	signals := caught()
	if err := ownProc(); err != nil {
		return report, err
	}
	config, err := specconv.CreateLibcontainerConfig(&specconv.CreateOpts{
		CgroupName:      request.Name,
		NoNewKeyring:    true,
		Spec:            request.Spec,
		RootlessEUID:    os.Geteuid() != 0,
		RootlessCgroups: !request.Cgroups,
	})
	if err != nil {
		return report, err
	}
	container, err := libcontainer.Create(request.State, request.Name, config)
	if err != nil {
		return report, err
	}
	defer func() {
		if e := container.Destroy(); e != nil && err == nil && report.StartedUnixNano == 0 {
			err = e
		}
	}()
	process := newProcess(request.Spec.Process)
	if request.Terminal {
		process.ConsoleSocket = os.NewFile(wire.ConsoleFd, "console")
	} else {
		process.Stdin, process.Stdout, process.Stderr = os.Stdin, os.Stdout, os.Stderr
	}
	failed, err := newFailure(process)
	if err != nil {
		return report, err
	}
	defer failed.close()
	if err := container.Run(process); err != nil {
		return report, err
	}
	failed.started()
	started := time.Now()
	report.StartedUnixNano = started.UnixNano()
	go forward(signals)
	if pid, err := process.Pid(); err == nil && !config.Namespaces.IsPrivate(configs.NEWPID) {
		go reap(pid)
	}
	releaseStreams()
	detach(request.State)
	state, err := process.Wait()
	if state == nil {
		return report, fmt.Errorf("waiting for the process: %w", err)
	}
	report.ElapsedNano = int64(time.Since(started))
	report.Error = failed.text()
	status := state.Sys().(syscall.WaitStatus)
	report.Code = status.ExitStatus()
	if status.Signaled() {
		report.Signal = int(status.Signal())
		report.Code = 128 + report.Signal
	}
	if usage, ok := state.SysUsage().(*syscall.Rusage); ok {
		report.UserNano, report.SystemNano = usage.Utime.Nano(), usage.Stime.Nano()
		report.MaxRSS = usage.Maxrss * 1024
	}
	if request.Spec.Linux.Resources != nil && request.Spec.Linux.Resources.Memory != nil {
		report.OOM = oomKilled(container)
	}
	return report, nil
}

// ownProc makes the mounts of this namespace our own and shows our pid
// namespace at /proc, which libcontainer reads.
func ownProc() error {
	if os.Getpid() != 1 {
		return errors.New("inlay-runc must be the first process of a pid namespace: it is started by inlay only")
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("taking the mounts out of propagation: %w", err)
	}
	if err := unix.Mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("mounting /proc: %w", err)
	}
	return nil
}

// releaseStreams lets go of the process' streams, so that their other ends see
// the process' own end and not ours.
func releaseStreams() {
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	for fd := range 3 {
		_ = unix.Dup3(null, fd, 0)
	}
	_ = unix.Close(null)
}

func newProcess(p *specs.Process) *libcontainer.Process {
	process := &libcontainer.Process{
		Init:            true,
		Args:            p.Args,
		Env:             p.Env,
		Cwd:             p.Cwd,
		UID:             int(p.User.UID),
		GID:             int(p.User.GID),
		NoNewPrivileges: &p.NoNewPrivileges,
		AppArmorProfile: p.ApparmorProfile,
		Label:           p.SelinuxLabel,
		LogLevel:        "0",
	}
	for _, gid := range p.User.AdditionalGids {
		process.AdditionalGroups = append(process.AdditionalGroups, int(gid))
	}
	if c := p.Capabilities; c != nil {
		process.Capabilities = &configs.Capabilities{
			Bounding: c.Bounding, Effective: c.Effective, Permitted: c.Permitted,
			Inheritable: c.Inheritable, Ambient: c.Ambient,
		}
	}
	if p.ConsoleSize != nil {
		process.ConsoleWidth, process.ConsoleHeight = uint16(p.ConsoleSize.Width), uint16(p.ConsoleSize.Height)
	}
	return process
}

// oomKilled reports whether the kernel killed something in the container's
// cgroup for lack of memory.
func oomKilled(container *libcontainer.Container) bool {
	stats, err := container.State()
	if err != nil {
		return false
	}
	for _, dir := range stats.CgroupPaths {
		if events, err := os.ReadFile(filepath.Join(dir, "memory.events")); err == nil && field(events, "oom_kill") > 0 {
			return true
		}
		if control, err := os.ReadFile(filepath.Join(dir, "memory.oom_control")); err == nil && field(control, "oom_kill") > 0 {
			return true
		}
	}
	return false
}
