package embedded

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"
	"time"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/runs"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/checkout"
	"github.com/inlaybuild/inlay/internal/runtime"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/inlaybuild/inlay/tree"
)

// Session describes a process that a person stands in a tree with.
type Session struct {
	// In is the tree, and how processes start in it.
	In engine.Result
	// Spec is what the process of a step was run with: environment, directory,
	// user, network, mounts and the names of secrets, which are read again. Nil
	// takes In's configuration.
	Spec *runs.Spec
	// Mounts are what the process sees beside the tree, without Spec. The Input of one
	// that shows a tree counts from 1 in Shown.
	Mounts []graph.Mount
	Shown  []engine.Result
	// Args is what is run. None stand for the shell of the user, if the tree has
	// it, or /bin/sh.
	Args []string
	// User is who the process is, as a name, a number or with a group; "" for that of
	// Spec or In.
	User string
	// Lend shows a static busybox of this machine at [Lent]. Without Args its shell
	// is run.
	Lend bool
	// Streams are what the process reads and writes.
	Streams Streams
	// Keep is the name in the store that what is left gets; "" for none.
	Keep string
	// Unwatched tells that nobody will ask what has changed.
	Unwatched bool

	keep bool // what is left is the result of a step
}

// Enter runs the process of a session, and gives what it left. Nothing is taken
// from the cache, or put there; what it left stays in the store until it is
// collected. That the process failed, did not start or was stopped is no error.
//
// The terminal is not cleared, reset or switched. All that the process wrote is on
// it when Enter returns, and the cursor at the start of a line.
func (e *Engine) Enter(ctx context.Context, s Session) (engine.Left, error) {
	if s.Keep != "" {
		if err := CheckName(s.Keep); err != nil {
			return engine.Left{}, err
		}
		if e.store.ReadOnly() {
			return engine.Left{}, fmt.Errorf("%s cannot be kept: the store %s cannot be written", s.Keep, e.store.Dir())
		}
	}
	step := &step{
		run:     &run{history: newHistory(), engine: e, events: newEvents(nil)},
		node:    graph.New(graph.Terminal{}, "shell", graph.New(graph.Scratch{}, "scratch")),
		started: time.Now(),
	}
	x, err := step.stand(ctx, s)
	if err != nil {
		return engine.Left{}, err
	}
	return x.enter(ctx, s)
}

// stand gives the exec whose place the process of a session takes.
func (s *step) stand(ctx context.Context, of Session) (x *exec, err error) {
	if of.Spec != nil {
		x, err = s.engine().again(ctx, s, of.In, *of.Spec)
	} else {
		in := append([]engine.Result{of.In}, of.Shown...)
		x = &exec{step: s, in: in, op: graph.Exec{Args: []string{usualShell}, Mounts: of.Mounts}}
		err = x.specify()
	}
	if err != nil {
		return nil, err
	}
	if of.User != "" {
		x.spec.User = of.User
	}
	return x, x.sit(ctx, of.Args, of.Lend)
}

// sit puts the command of a person in the place of the exec's own.
func (x *exec) sit(ctx context.Context, args []string, lend bool) error {
	switch {
	case len(args) > 0:
		x.spec.Args = args
		return nil
	case lend:
		x.spec.Args = []string{path.Join(Lent, "sh")}
		return nil
	}
	shell, err := x.shell(ctx)
	x.spec.Args = []string{shell}
	return err
}

// usualShell is the shell that is taken to be there.
const usualShell = "/bin/sh"

// shell gives the shell of the user, if the tree has it.
func (x *exec) shell(ctx context.Context) (string, error) {
	p, err := x.describe(ctx, "/")
	if err != nil {
		return "", err
	}
	passwd, err := readOptional(tree.FS(ctx, x.in[0].Tree, x.engine()), "etc/passwd")
	if err != nil {
		return "", err
	}
	shell := runtime.LoginShell(p.User.UID, strings.NewReader(string(passwd)))
	if shell == "" {
		return usualShell, nil
	}
	r, err := tree.Resolve(ctx, x.in[0].Tree, shell, tree.FollowAll)
	if err != nil || r.Entry == nil || r.Entry.Kind() != tree.KindFile || r.Entry.Attr().Mode&0o111 == 0 {
		return usualShell, ctx.Err() // and what is wrong with that, if something is, will be said
	}
	return shell, nil
}

// place is where the process of a session runs.
type place interface {
	// run runs the process, and waits for its end. The error is as that of
	// [runtime.Run].
	run(ctx context.Context, s Streams) (runtime.Exit, error)
	// left gives the tree as the process left it, all of it known. Contents tells
	// that those that are new are wanted in the store.
	left(ctx context.Context, sv *saving, contents bool) (tree.Tree, error)
	// process gives the process.
	process() runtime.Process
	close(ctx context.Context) error
}

// place prepares what the process is to see.
func (x *exec) place(ctx context.Context, s Session) (place, error) {
	if s.Lend {
		if err := lendable(ctx, x.in[0].Tree); err != nil {
			return nil, err
		}
	}
	if x.engine().where != nil {
		return x.placeElsewhere(ctx, s)
	}
	return x.placeHere(ctx, s)
}

// enter runs the process.
func (x *exec) enter(ctx context.Context, s Session) (left engine.Left, err error) {
	at, err := x.place(ctx, s)
	if err != nil {
		return left, err
	}
	defer func() { err = errors.Join(err, at.close(context.WithoutCancel(ctx))) }()
	began := time.Now()
	exit, err := at.run(ctx, s.Streams)
	left = engine.Left{Args: x.spec.Args, ExitCode: exit.Code, Signal: exit.Signal, Took: exit.Elapsed, Tree: x.in[0].Tree}
	if exit.Started.IsZero() {
		left.Took = time.Since(began)
	}
	if err != nil && ctx.Err() != nil {
		left.Stopped, err = context.Cause(ctx), nil
		ctx = context.WithoutCancel(ctx) // what it left is kept all the same
	}
	if left.Failed, err = x.unstarted(ctx, at.process(), exit, err); err != nil {
		return left, err
	}
	if left.Failed != nil {
		left.ExitCode = left.Failed.ExitCode
	}
	return left, x.remains(ctx, at, s, &left)
}

// here is a session on this machine.
type here struct {
	exec   *exec
	mounts *mounts
	root   *checkout.Root
	p      runtime.Process
	config runtime.Config
}

func (x *exec) placeHere(ctx context.Context, s Session) (_ place, err error) {
	e := x.engine()
	h := &here{exec: x}
	if h.config.Program, err = runtime.Find(); err != nil {
		return nil, err
	}
	roots, err := e.mountable(ctx)
	if err != nil {
		return nil, err
	}
	h.config.StateDir, h.config.Enter = e.stateDir(), roots.Enter
	h.mounts = &mounts{exec: x, roots: roots}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.close(ctx))
		}
	}()
	if h.root, err = e.mount(ctx, roots, x.in[0].Tree, e.near(x.in[0])...); err != nil {
		return nil, err
	}
	h.mounts.add(h.root)
	if h.p, err = x.describe(ctx, h.root.Path); err != nil {
		return nil, err
	}
	if h.p.Mounts, err = h.mounts.all(ctx); err != nil {
		return nil, err
	}
	if s.Lend {
		if err := e.lend(&h.p); err != nil {
			return nil, err
		}
	}
	h.p.Ordinary, h.p.Grace = true, grace
	return h, nil
}

func (h *here) run(ctx context.Context, s Streams) (exit runtime.Exit, err error) {
	h.p.Env, h.p.Signals = s.env(h.p.Env), s.Signals
	err = s.lend(func(n ends) error {
		n.here(&h.p)
		exit, err = runtime.Run(ctx, h.config, h.p)
		return err
	})
	return exit, err
}

func (h *here) left(ctx context.Context, sv *saving, _ bool) (tree.Tree, error) {
	return h.exec.capture(ctx, h.root, sv)
}

func (h *here) process() runtime.Process { return h.p }

func (h *here) close(context.Context) error { return h.mounts.close() }

// grace is how long a process is given to end when its session is stopped.
const grace = time.Second

// unstarted says why the process did not start, or found nothing to run; nil if
// it did.
func (x *exec) unstarted(ctx context.Context, p runtime.Process, exit runtime.Exit, err error) (*engine.ExecError, error) {
	fail := &engine.ExecError{Args: x.spec.Args, ExitCode: exit.Code}
	var start *runtime.StartError
	switch {
	case errors.As(err, &start):
		fail.ExitCode, fail.Reason = start.Code, start.Reason
		x.explain(ctx, p, start, fail)
		return fail, nil
	case err != nil:
		return nil, err
	}
	x.explainMissing(ctx, p, fail)
	if fail.Why == nil {
		return nil, nil
	}
	return fail, nil
}

// remains finds out what the process left, and keeps it.
func (x *exec) remains(ctx context.Context, at place, s Session, left *engine.Left) error {
	e := x.engine()
	if left.Failed != nil && left.Failed.Reason != "" {
		return nil // nothing ran: what had the name before keeps it
	}
	unwatched := s.Unwatched || left.Stopped != nil || e.store.ReadOnly()
	if unwatched && s.Keep == "" {
		return nil
	}
	in, err := x.in[0].Known(ctx)
	if err != nil {
		return err
	}
	sv, err := e.save(ctx)
	if err != nil {
		return err
	}
	defer sv.ingest.Abort()
	stored := s.Keep != "" || !in.Away
	if left.Tree, err = at.left(ctx, sv, stored || s.keep); err != nil {
		return fmt.Errorf("what the session left: %w", err)
	}
	n, err := compose.Count(ctx, in.Tree, left.Tree)
	if err != nil {
		return err
	}
	left.Changed = n.Added + n.Replaced + n.Removed
	if tree.Equal(left.Tree, in.Tree) && s.Keep == "" {
		return nil
	}
	if left.Changed == 0 && s.Keep == "" { // the root's own attributes, which count as no path
		left.Changed = 1
	}
	if left.Away = !stored; left.Away {
		return nil
	}
	return x.store(ctx, in, s.Keep, left, sv)
}

// store puts what is left into the store, with a name if it is to have one.
func (x *exec) store(ctx context.Context, in engine.Result, name string, left *engine.Left, sv *saving) error {
	if in.Away {
		res := in
		res.Tree = left.Tree
		if err := x.engine().where.Fetch(ctx, res); err != nil {
			return fmt.Errorf("bring what is kept here: %w", err)
		}
	}
	d, err := sv.add(ctx, left.Tree)
	if err != nil {
		return err
	}
	ch := store.Changes{Loose: name == ""}
	if name != "" {
		left.Kept = true
		rec, err := named{Images: []imageRecord{{Tree: d, Config: in.Config.Bytes(), Base: imageOf(in).Base}}}.roots()
		if err != nil {
			return err
		}
		ch.Refs = map[string]store.Record{name: rec}
	}
	return sv.commit(ctx, ch)
}
