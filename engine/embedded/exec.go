package embedded

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/runs"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/capture"
	"github.com/inlaybuild/inlay/internal/checkout"
	"github.com/inlaybuild/inlay/internal/runtime"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/inlaybuild/inlay/tree"
)

// execKey is all that the result of an exec follows from, beside the trees.
type execKey struct {
	Args    []string
	Env     []string
	Dir     string
	User    string
	Stdin   []byte        `json:",omitempty"`
	Network graph.Network `json:",omitempty"`
	Expect  []int         `json:",omitempty"`
	Mounts  []graph.Mount `json:",omitempty"`
	NoCache string        `json:",omitempty"`
}

// execRecord is the body of an exec's result.
type execRecord struct {
	Args     []string
	ExitCode int
	Stdout   tree.File
	Stderr   tree.File
	Log      *runs.LogName `json:",omitempty"` // of the step that ran it; it goes with its run
}

// exec is one exec that is being resolved.
type exec struct {
	*step
	op     graph.Exec
	in     []engine.Result
	spec   execKey
	inputs []digest.Digest
}

func (s *step) exec(ctx context.Context, op graph.Exec, in []engine.Result) (engine.Result, error) {
	x := &exec{step: s, op: op, in: in}
	if err := x.specify(); err != nil {
		return engine.Result{}, err
	}
	s.note.specified(x.recorded())
	key, err := x.key()
	if err != nil {
		return engine.Result{}, err
	}
	if err := x.placeMounts(ctx); err != nil {
		return engine.Result{}, err
	}
	if s.engine().where != nil {
		return x.elsewhere(ctx)
	}
	for {
		if res, ok, err := x.kept(ctx, key); ok || err != nil {
			return x.found(key, res, ok), err
		}
		end, first, err := s.engine().turn(ctx, key)
		if err != nil {
			return engine.Result{}, err
		}
		if !first {
			continue // somebody else ran it meanwhile, or failed to
		}
		defer end()
		if res, ok, err := x.kept(ctx, key); ok || err != nil { // since we looked
			return x.found(key, res, ok), err
		}
		x.tellUncached(ctx, key)
		res, err := x.run(ctx, key)
		if err == nil {
			x.remember(key, res)
		}
		var failed *engine.ExecError
		if stopped := ctx.Err() != nil; err != nil && (stopped || errors.As(err, &failed)) {
			if e := x.rememberFailure(context.WithoutCancel(ctx), key, stopped); e != nil {
				x.event(engine.NotKept{Step: x.number, What: "that it failed", Err: e})
			}
		}
		return res, err
	}
}

// found gives a result that was kept.
func (x *exec) found(key digest.Digest, res engine.Result, ok bool) engine.Result {
	if x.cached = ok; ok {
		x.remember(key, res)
	}
	return res
}

// turn waits until nobody runs the exec of a key, and, for who was the first to
// ask, until a process may be run. Then it is for that one to call end.
func (e *Engine) turn(ctx context.Context, key digest.Digest) (end func(), first bool, err error) {
	e.mu.Lock()
	other, ok := e.running[key]
	done := make(chan struct{})
	if !ok {
		e.running[key] = done
	}
	e.mu.Unlock()
	if ok {
		select {
		case <-other:
			return nil, false, nil
		case <-ctx.Done():
			return nil, false, ctx.Err()
		}
	}
	leave := func() {
		e.mu.Lock()
		delete(e.running, key)
		e.mu.Unlock()
		close(done)
	}
	select {
	case e.slots <- struct{}{}:
		return func() { <-e.slots; leave() }, true, nil
	case <-ctx.Done():
		leave()
		return nil, false, ctx.Err()
	}
}

// specify works out what is run, from the op and the configuration.
func (x *exec) specify() error {
	c := x.in[0].Config.Run()
	args := slices.Clone(x.op.Args)
	if x.op.UseEntrypoint {
		if len(args) == 0 {
			args = c.Cmd
		}
		args = slices.Concat(c.Entrypoint, args)
	}
	if len(args) == 0 {
		return errors.New("the image has neither an entrypoint nor default arguments: give a command")
	}
	env := slices.Clone(c.Env)
	for _, e := range x.op.Env {
		name, value, _ := bytes.Cut([]byte(e), []byte("="))
		env = changeEnv(env, graph.EnvChange{Name: string(name), Value: string(value)})
	}
	if lookupEnv(env, "PATH") == "" {
		env = changeEnv(env, graph.EnvChange{Name: "PATH", Value: runtime.DefaultPath})
	}
	x.spec = execKey{
		Args: args, Env: env, Dir: path.Join("/", c.WorkingDir), User: c.User,
		Stdin: x.op.Stdin, Network: x.op.Network, Expect: slices.Compact(slices.Sorted(slices.Values(x.op.Expect))),
		Mounts: slices.Clone(x.op.Mounts), NoCache: x.op.NoCache,
	}
	if len(x.spec.Expect) == 0 {
		x.spec.Expect = []int{0}
	}
	for i, m := range x.spec.Mounts {
		x.spec.Mounts[i].Target = path.Clean("/" + m.Target)
	}
	for _, r := range x.in {
		if r.Changes != nil {
			return errors.New("a change set cannot be mounted: use directories")
		}
		x.inputs = append(x.inputs, r.Tree.Digest())
	}
	return nil
}

// key gives the action key. A secret is in it by name alone.
func (x *exec) key() (digest.Digest, error) {
	body, err := json.Marshal(x.spec)
	if err != nil {
		return digest.Digest{}, fmt.Errorf("encode the exec: %w", err)
	}
	b := append([]byte("inlay exec 1\n"), body...)
	for _, in := range x.inputs {
		b = in.Append(append(b, '\n'))
	}
	return digest.Of(b), nil
}

// kept gives the result that the store has.
func (x *exec) kept(ctx context.Context, key digest.Digest) (engine.Result, bool, error) {
	e := x.engine()
	r, ok, err := e.store.Result(ctx, key)
	if err != nil {
		return engine.Result{}, false, err
	}
	if !ok || len(r.Trees) != 1 {
		return x.fromCache(ctx, key)
	}
	var rec execRecord
	if err := json.Unmarshal(r.Data, &rec); err != nil {
		return x.fromCache(ctx, key)
	}
	t, err := tree.Load(ctx, e.source, r.Trees[0])
	if errors.Is(err, tree.ErrMissingNode) {
		return x.fromCache(ctx, key)
	}
	if err != nil {
		return engine.Result{}, false, err
	}
	x.ran = rec.Log
	return x.result(t, rec), true, nil
}

func (x *exec) result(t tree.Tree, rec execRecord) engine.Result {
	out := x.in[0]
	out.Tree = t
	out.Exec = &engine.Exec{Args: rec.Args, ExitCode: rec.ExitCode, Stdout: rec.Stdout, Stderr: rec.Stderr}
	return out
}

// run runs the process, and keeps what it left.
func (x *exec) run(ctx context.Context, key digest.Digest) (res engine.Result, err error) {
	e := x.engine()
	program, err := runtime.Find()
	if err != nil {
		return res, err
	}
	roots, err := e.mountable(ctx)
	if err != nil {
		return res, err
	}
	sv, err := e.save(ctx)
	if err != nil {
		return res, err
	}
	defer sv.ingest.Abort()

	x.note.prepareLog()
	m := &mounts{exec: x, roots: roots}
	defer func() { err = errors.Join(err, m.close()) }()
	root, err := e.mount(ctx, roots, x.in[0].Tree, e.near(x.in[0])...)
	if err != nil {
		return res, err
	}
	m.add(root)
	p, err := x.describe(ctx, root.Path)
	if err != nil {
		return res, err
	}
	if p.Mounts, err = m.all(ctx); err != nil {
		return res, err
	}
	out := newOutputs(x, sv.ingest, m.secrets)
	defer func() { err = errors.Join(err, out.discard()) }()
	p.Stdout, p.Stderr = out.stdout, out.stderr
	exit, err := runtime.Run(ctx, runtime.Config{Program: program, StateDir: e.stateDir(), Enter: roots.Enter}, p)
	if flushErr := out.flush(); err == nil {
		err = flushErr
	}
	failed := x.failure(ctx, p, exit, err, out)
	x.process = out.process(exit, failed, ctx.Err() != nil)
	if failed != nil {
		x.leave(ctx, root, sv, out, failed)
		return res, failed
	}
	rec := execRecord{Args: x.spec.Args, ExitCode: exit.Code, Log: out.log.name()}
	if rec.Stdout, rec.Stderr, err = out.finish(ctx); err != nil {
		return res, err
	}
	t, err := x.capture(ctx, root, sv)
	if err != nil {
		return res, err
	}
	if err := x.keep(ctx, sv, key, t, rec); err != nil {
		return res, err
	}
	x.progress().wrote(sv)
	return x.result(t, rec), nil
}

// failure tells whether the process failed, or did not run at all.
func (x *exec) failure(ctx context.Context, p runtime.Process, exit runtime.Exit, err error, out *outputs) error {
	fail := &engine.ExecError{Args: x.spec.Args, ExitCode: exit.Code, Stdout: out.stdout.tail.bytes(), Stderr: out.stderr.tail.bytes()}
	var start *runtime.StartError
	if errors.As(err, &start) {
		fail.ExitCode, fail.Reason = start.Code, start.Reason
		x.explain(ctx, p, start, fail)
		return fail
	}
	if err != nil {
		return err
	}
	if !slices.Contains(x.spec.Expect, exit.Code) {
		x.explainMissing(ctx, p, fail)
		return fail
	}
	return nil
}

// describe describes the process, but for its mounts and streams.
func (x *exec) describe(ctx context.Context, root string) (runtime.Process, error) {
	p := runtime.Process{
		Root: root,
		Args: x.spec.Args,
		Env:  x.spec.Env,
		Dir:  x.spec.Dir,
	}
	if x.spec.Network == graph.NetworkHost {
		p.Network = runtime.NetworkHost
	}
	if len(x.spec.Stdin) > 0 {
		p.Stdin = bytes.NewReader(x.spec.Stdin)
	}
	view := tree.FS(ctx, x.in[0].Tree, x.engine())
	passwd, err := readOptional(view, "etc/passwd")
	if err != nil {
		return p, err
	}
	group, err := readOptional(view, "etc/group")
	if err != nil {
		return p, err
	}
	if p.User, err = runtime.ResolveUser(x.spec.User, bytes.NewReader(passwd), bytes.NewReader(group)); err != nil {
		return p, &UserError{x.spec.User, err}
	}
	if !slices.ContainsFunc(p.Env, func(s string) bool { return strings.HasPrefix(s, "HOME=") }) {
		p.Env = append(slices.Clone(p.Env), "HOME="+p.User.Home)
	}
	return p, nil
}

func readOptional(view fs.FS, name string) ([]byte, error) {
	b, err := fs.ReadFile(view, name)
	if tree.IsNotExist(err) {
		return nil, nil
	}
	return b, err
}

// capture gives the tree that the process left.
func (x *exec) capture(ctx context.Context, root *checkout.Root, sv *saving) (tree.Tree, error) {
	base := x.in[0].Tree
	if root.Upper == "" {
		t, _, err := capture.Directory(ctx, root.Path, bodies{x.engine(), sv.ingest}, capture.Options{})
		return t, err
	}
	if err := root.Unmount(); err != nil {
		return tree.Tree{}, fmt.Errorf("unmount the root: %w", err)
	}
	c, _, err := capture.Upper(ctx, base, root.Upper, sv.ingest, capture.UpperOptions{})
	if err != nil {
		return tree.Tree{}, err
	}
	return compose.Patch(ctx, base, c)
}

// keep makes the result durable.
func (x *exec) keep(ctx context.Context, sv *saving, key digest.Digest, t tree.Tree, rec execRecord) error {
	d, err := sv.add(ctx, t)
	if err != nil {
		return err
	}
	r, err := rec.record(d)
	if err != nil {
		return err
	}
	now, err := x.this(key)
	if err != nil {
		return err
	}
	results, err := x.remembered(now)
	if err != nil {
		return err
	}
	results[key] = r
	return sv.commit(ctx, store.Changes{Results: results})
}

// record gives what the store keeps of the result, with its tree.
func (rec execRecord) record(t digest.Digest) (store.Record, error) {
	data, err := json.Marshal(rec)
	if err != nil {
		return store.Record{}, fmt.Errorf("encode the result: %w", err)
	}
	r := store.Record{Trees: []digest.Digest{t}, Data: data}
	for _, f := range []tree.File{rec.Stdout, rec.Stderr} {
		if f.Size > 0 {
			r.Blobs = append(r.Blobs, f.Content)
		}
	}
	return r, nil
}

// stateDir is where the state of running processes is.
func (e *Engine) stateDir() string { return filepath.Join(e.store.Dir(), "state") }
