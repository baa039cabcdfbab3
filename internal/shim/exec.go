//go:build linux

package shim

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/inlaybuild/inlay/internal/capture"
	"github.com/inlaybuild/inlay/tree"
)

// Exec runs the process that the file spec says, waits for its end and for that of
// all that it left running, and leaves its output and its [Exit] in the directory
// out. Meanwhile the output goes to this process' own streams, too. What the process
// does is no error; an error means that it could not be run or watched, and that
// there is no exit file.
//
// It is meant to be the first process of a pid namespace, of which nothing else
// remains when it returns. Where it is not, it ends what descends from it.
func Exec(spec, out string) error {
	s, err := readSpec(spec)
	if err != nil {
		return err
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("keep others from tracing this process: %w", err)
	}
	// What this process has inherited is not for the process.
	if err := closeOnExec(); err != nil {
		return fmt.Errorf("keep open files from the process: %w", err)
	}
	o, err := openOut(out)
	if err != nil {
		return err
	}
	defer o.close()
	env, secrets, err := s.environment()
	if err != nil {
		return err
	}
	if err := s.setAttrs(); err != nil {
		return err
	}
	made, err := s.made()
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2)
	signal.Notify(make(chan os.Signal, 1), unix.SIGPIPE) // who shows our output may stop to
	x := &execution{spec: s, env: env}
	if x.stdout, err = newStream(o, os.Stdout, secrets); err != nil {
		return err
	}
	if x.stderr, err = newStream(o, os.Stderr, secrets); err != nil {
		return err
	}
	exit, err := x.run(signals)
	if err != nil {
		return err
	}
	exit.StdoutSize, exit.StderrSize = x.stdout.size, x.stderr.size
	if exit.Root, err = attrOf("/"); err != nil {
		return err
	}
	if exit.Made, err = made.left(s.Made); err != nil {
		return err
	}
	exit.Run = rand.Text()
	exit.Marked = mark(exit.Run, "/", out)
	return o.publish(exit, x.stdout, x.stderr)
}

// mark gives directories the [RunAttr], all or none of them.
func mark(run string, dirs ...string) bool {
	for _, dir := range dirs {
		if err := unix.Setxattr(dir, RunAttr, []byte(run), 0); err != nil {
			for _, dir := range dirs {
				_ = unix.Removexattr(dir, RunAttr) // it may have none
			}
			return false
		}
	}
	return true
}

func readSpec(path string) (Spec, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return Spec{}, err
	}
	s, err := DecodeSpec(b)
	if err != nil {
		return s, fmt.Errorf("%s: %w", path, err)
	}
	if s.Dir == "" {
		s.Dir = "/"
	}
	return s, nil
}

// environment gives the process' variables, each once, and what is secret.
func (s Spec) environment() (env []string, secrets [][]byte, err error) {
	all := s.Env
	for _, name := range s.SecretEnv {
		value, ok := os.LookupEnv(name)
		if !ok {
			return nil, nil, fmt.Errorf("secret environment variable %s: it is not set in this container", name)
		}
		all = append(all[:len(all):len(all)], name+"="+value)
		secrets = append(secrets, []byte(value))
	}
	for _, p := range s.SecretFiles {
		b, err := os.ReadFile(p)
		if err != nil {
			return nil, nil, fmt.Errorf("secret: %w", err)
		}
		secrets = append(secrets, b)
	}
	last := map[string]int{}
	for i, v := range all {
		name, _, _ := strings.Cut(v, "=")
		last[name] = i
	}
	for i, v := range all {
		if name, _, _ := strings.Cut(v, "="); last[name] == i {
			env = append(env, v)
		}
	}
	return env, secrets, nil
}

// attrOf gives the attributes of a directory.
func attrOf(dir string) (tree.Attr, error) {
	t, _, err := capture.Directory(context.Background(), dir, hashing{}, capture.Options{Exclude: []string{"*"}})
	return t.Attr(), err
}

// setAttrs gives directories what the process shall find.
func (s Spec) setAttrs() error {
	d, err := newDescent("/")
	if err != nil {
		return err
	}
	defer d.close()
	if s.Root != nil {
		if err := newAttrs().setDir(d.root, ".", *s.Root); err != nil {
			return changeError("set attributes", "/", err)
		}
		if err := s.inherit(d); err != nil {
			return err
		}
		if err := setTime(d.root, ".", s.Root.ModTime); err != nil {
			return changeError("set the time", "/", err)
		}
	}
	for p, a := range s.Mounts {
		dir, name, err := d.parent(p)
		if err == nil {
			err = newAttrs().setDir(dir, name, a)
		}
		if err != nil {
			return changeError("set attributes", p, err)
		}
	}
	for p, t := range s.Times {
		dir, name, err := d.parent(p)
		if err == nil {
			err = setTime(dir, name, t)
		}
		if err != nil {
			return changeError("set the time", p, err)
		}
	}
	return nil
}

// execution is one process that is run.
type execution struct {
	spec           Spec
	env            []string
	stdout, stderr *stream
}

func (x *execution) run(signals <-chan os.Signal) (Exit, error) {
	alone, err := becomeParent()
	if err != nil {
		return Exit{}, err
	}
	before := oomKills()
	stdin, err := x.feed()
	if err != nil {
		return Exit{}, err
	}
	clock, err := fileClock()
	if err != nil {
		return Exit{}, err
	}
	pid, start := x.start([]*os.File{stdin, x.stdout.in, x.stderr.in}, &syscall.SysProcAttr{Setsid: true})
	started := time.Now()
	for _, f := range []*os.File{stdin, x.stdout.in, x.stderr.in} {
		f.Close()
	}
	if start != nil {
		x.stdout.out.Close()
		x.stderr.out.Close()
		return Exit{Code: start.code(), Start: start}, nil
	}
	go forward(signals, pid, alone)
	go x.stdout.copy()
	go x.stderr.copy()
	status, usage, err := waitFor(pid)
	elapsed := time.Since(started)
	if err != nil {
		return Exit{}, err
	}
	if err := endAll(alone); err != nil {
		return Exit{}, err
	}
	ended := time.Now()
	if err := errors.Join(x.stdout.finish(), x.stderr.finish()); err != nil {
		return Exit{}, err
	}
	exit := exitOf(status, usage, started, elapsed, oomKills() > before)
	exit.ClockStart, exit.ClockEnd = clock, ended.UnixNano()
	return exit, nil
}

// fileClock gives the time that a file would have which is written now, or an earlier
// one: file systems take it from a clock that ticks some hundred times a second.
func fileClock() (int64, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_REALTIME_COARSE, &t); err != nil {
		return 0, fmt.Errorf("read the clock: %w", err)
	}
	return t.Nano(), nil
}

// exitOf says how a process ended.
func exitOf(status syscall.WaitStatus, usage *syscall.Rusage, started time.Time, elapsed time.Duration, oom bool) Exit {
	exit := Exit{
		Code: status.ExitStatus(), OOM: oom,
		StartedUnixNano: started.UnixNano(), ElapsedNano: int64(elapsed),
		UserNano: usage.Utime.Nano(), SystemNano: usage.Stime.Nano(), MaxRSS: usage.Maxrss * 1024,
	}
	if status.Signaled() {
		exit.Signal = int(status.Signal())
		exit.Code = 128 + exit.Signal
	}
	return exit
}

// feed gives what the process reads: the empty device, or a pipe that the file is
// copied to for as long as somebody reads.
func (x *execution) feed() (*os.File, error) {
	if x.spec.Stdin == "" {
		return os.Open(os.DevNull)
	}
	from, err := os.Open(x.spec.Stdin)
	if err != nil {
		return nil, fmt.Errorf("standard input: %w", err)
	}
	out, in, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	go func() {
		_, _ = in.ReadFrom(from)
		in.Close()
		from.Close()
	}()
	return out, nil
}

// forward passes signals on to all other processes of the container, or to the
// process alone where there are those of others. [EndSignal] kills them.
func forward(signals <-chan os.Signal, pid int, alone bool) {
	if alone {
		pid = -1
	}
	for s := range signals {
		if s == EndSignal {
			s = unix.SIGKILL
		}
		if number, ok := s.(syscall.Signal); ok {
			_ = unix.Kill(pid, number)
		}
	}
}
