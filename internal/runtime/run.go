//go:build linux

package runtime

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/inlaybuild/inlay/internal/runtime/wire"
)

// Run runs p and waits for its end. The error is nil when the process started,
// whatever its exit code; a [*StartError] when it could not be started; and
// wraps ctx's when ctx ended it. An error of p.Stdout or p.Stderr ends the
// process' output and is returned with its Exit.
//
// When Run returns, all processes that it started are gone, and so are their
// state, their cgroup and the mount points that were made for them. A read of
// p.Stdin may still be waiting, if p.Stdin is not an *os.File; what it reads is
// lost.
//
// A run of /bin/true costs about 50 ms, most of it in libcontainer and the
// kernel.
func Run(ctx context.Context, c Config, p Process) (exit Exit, err error) {
	// The kernel ties the life of what is started, and the mount namespace, to a
	// thread: one is kept for all of the run.
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		if c.Enter == nil {
			defer runtime.UnlockOSThread()
		} else if err = c.Enter(); err != nil {
			return
		}
		exit, err = run(ctx, c, p)
	}()
	<-done
	return exit, err
}

func run(ctx context.Context, c Config, p Process) (exit Exit, err error) {
	if err := ctx.Err(); err != nil {
		return Exit{}, err
	}
	if err := p.check(); err != nil {
		return Exit{}, err
	}
	place, err := newPlace(c.StateDir)
	if err != nil {
		return Exit{}, err
	}
	defer func() {
		if e := place.remove(); e != nil && err == nil {
			err = e
		}
	}()
	etc, err := writeEtc(&p, place.dir)
	if err != nil {
		return Exit{}, err
	}
	cgroup := ""
	if cgroupsWritable() {
		cgroup = "/" + place.name
	} else if p.Limits.any() {
		return Exit{}, ErrNoCgroups
	}
	spec, err := newSpec(&p, etc, cgroup)
	if err != nil {
		return Exit{}, err
	}
	points, err := makeStubs(p.Root, spec.Mounts)
	if err != nil {
		return Exit{}, &StartError{Path: p.Args[0], Reason: err.Error(), Code: 125, Err: err}
	}
	defer func() {
		if e := points.remove(); e != nil && err == nil {
			err = e
		}
	}()
	report, err := launch(ctx, c.Program, &p, &wire.Request{
		Version:  wire.Version,
		Name:     place.name,
		State:    filepath.Join(place.dir, "runc"),
		Cgroups:  cgroup != "",
		Terminal: p.Terminal != nil,
		Spec:     spec,
	})
	if ctx.Err() != nil {
		return exitOf(report), fmt.Errorf("%s: %w", p.Args[0], context.Cause(ctx))
	}
	if report != nil && report.Error != "" {
		return Exit{}, startError(p.Args[0], report.Error)
	}
	return exitOf(report), err
}

// check completes p, and refuses what the kernel would cut or misread.
func (p *Process) check() error {
	if len(p.Args) == 0 || p.Args[0] == "" {
		return errors.New("nothing to run: give a program and its arguments")
	}
	hasNUL := func(s string) bool { return strings.ContainsRune(s, 0) }
	if slices.ContainsFunc(p.Args, hasNUL) || slices.ContainsFunc(p.Env, hasNUL) || hasNUL(p.Dir) {
		return fmt.Errorf("%q: an argument, a variable or the directory contains a NUL byte, which no process can be given", p.Args[0])
	}
	for _, env := range p.Env {
		if i := strings.IndexByte(env, '='); i < 1 {
			return fmt.Errorf("environment variable %q: want NAME=value", env)
		}
	}
	if p.Dir != "" && !filepath.IsAbs(p.Dir) {
		return fmt.Errorf("working directory %q: want an absolute path", p.Dir)
	}
	root, err := filepath.Abs(p.Root)
	if err == nil {
		root, err = filepath.EvalSymlinks(root)
	}
	if err != nil {
		return fmt.Errorf("root: %w", err)
	}
	if info, err := os.Stat(root); err != nil {
		return fmt.Errorf("root: %w", err)
	} else if !info.IsDir() || root == "/" {
		return fmt.Errorf("root %s: want a directory that is not the host's own root", root)
	}
	p.Root = root
	return nil
}

func exitOf(r *wire.Report) Exit {
	if r == nil {
		return Exit{Code: 137, Signal: 9}
	}
	return Exit{
		Code: r.Code, Signal: signal(r.Signal), OOM: r.OOM,
		Started: time.Unix(0, r.StartedUnixNano), Elapsed: time.Duration(r.ElapsedNano),
		User: time.Duration(r.UserNano), System: time.Duration(r.SystemNano), MaxRSS: r.MaxRSS,
	}
}
