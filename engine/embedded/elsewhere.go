package embedded

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"sync"
	"syscall"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/runs"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/image/registry"
	"github.com/inlaybuild/inlay/internal/layer"
	"github.com/inlaybuild/inlay/internal/mask"
	"github.com/inlaybuild/inlay/internal/runtime"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/inlaybuild/inlay/tree"
)

// local is the engine as its remote sees it.
type local struct{ engine *Engine }

// Tell tells who resolves something.
func (l local) Tell(ev engine.Event) { l.engine.audience.tell(ev) }

// OpenContent opens a file of the store.
func (l local) OpenContent(ctx context.Context, d digest.Digest) (io.ReadCloser, error) {
	return l.engine.OpenContent(ctx, d)
}

// Blob opens a blob of the store.
func (l local) Blob(ctx context.Context, d digest.Digest) (io.ReaderAt, int64, error) {
	b, err := l.engine.store.OpenBlob(ctx, d)
	if errors.Is(err, store.ErrMissing) {
		return nil, 0, fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	if err != nil {
		return nil, 0, err
	}
	return b, b.Size(), nil
}

// Keep keeps content in the store.
func (l local) Keep(ctx context.Context, r io.Reader) (d digest.Digest, size int64, err error) {
	sv, err := l.engine.save(ctx)
	if err != nil {
		return d, 0, err
	}
	defer sv.ingest.Abort()
	if d, size, err = sv.ingest.Put(ctx, r); err != nil {
		return d, 0, err
	}
	return d, size, sv.commit(ctx, store.Changes{})
}

// KeepTar keeps the contents of a tar in the store.
func (l local) KeepTar(ctx context.Context, r io.Reader) error {
	sv, err := l.engine.save(ctx)
	if err != nil {
		return err
	}
	defer sv.ingest.Abort()
	if _, _, err := layer.ReadTree(ctx, r, layer.ReadOptions{Blobs: sv.ingest, Limits: l.engine.layerLimits()}); err != nil {
		return err
	}
	return sv.commit(ctx, store.Changes{})
}

// Missing tells which contents the store does not have.
func (l local) Missing(ctx context.Context, ds []digest.Digest) ([]digest.Digest, error) {
	return l.engine.lacking(ctx, ds)
}

// recallKey is what the store has something by that a remote remembers of a tree.
func recallKey(of digest.Digest) digest.Digest {
	return digest.Of(of.Append([]byte("inlay recall 2\n")))
}

// Recall gives what was remembered of a tree.
func (l local) Recall(ctx context.Context, of digest.Digest) ([]byte, error) {
	r, ok, err := l.engine.store.Result(ctx, recallKey(of))
	if err != nil || !ok {
		return nil, err
	}
	b, err := expanded(r.Data)
	if err != nil {
		return nil, nil // what is damaged is found out again, and remembered anew
	}
	return b, nil
}

// Remember remembers something of each tree.
func (l local) Remember(ctx context.Context, what map[digest.Digest][]byte) error {
	if l.engine.store.ReadOnly() {
		return nil
	}
	sv, err := l.engine.save(ctx)
	if err != nil {
		return err
	}
	defer sv.ingest.Abort()
	results := make(map[digest.Digest]store.Record, len(what))
	for of, b := range what {
		if b, err = compact(b); err != nil {
			return err
		}
		results[recallKey(of)] = store.Record{Data: b}
	}
	return sv.commit(ctx, store.Changes{Results: results, Loose: true})
}

// Secret gives the value of a secret.
func (l local) Secret(ctx context.Context, name string) ([]byte, error) {
	return l.engine.options.Secret(ctx, name)
}

// pulled gives an image that the remote fetches.
func (s *step) pulled(ctx context.Context, place engine.Place, op graph.From) (engine.Result, error) {
	if _, err := registry.ParseRef(place.Path); err != nil {
		return engine.Result{}, err
	}
	res, err := s.engine().where.Pull(ctx, place.Path, op.Platform, s.progress())
	if err != nil {
		return engine.Result{}, err
	}
	s.uncached(engine.NotInStore, "it is not in the store: the remote has it, or fetches it when it is needed")
	res.Origin = res.Tree
	res.Parts = heldAs(res.Held)
	return res, nil
}

// heldAs gives the parts of a result that is as a remote holds it.
func heldAs(h *engine.Held) []*engine.Held {
	if h == nil {
		return nil
	}
	return []*engine.Held{h}
}

// partsOf gives what a remote holds of what results were composed of, in their order.
func partsOf(in []engine.Result) (out []*engine.Held) {
	for _, r := range in {
		for _, p := range r.Parts {
			i := slices.IndexFunc(out, func(h *engine.Held) bool { return h.By == p.By })
			if i < 0 {
				out = append(out, p)
			} else if _, isView := out[i].Tree.StandIn(); isView {
				out[i] = p // more may be known of it
			}
		}
	}
	return out
}

// isView tells whether not all is known of some of the results.
func isView(all []engine.Result) bool {
	return slices.ContainsFunc(all, func(r engine.Result) bool { return r.Whole != nil })
}

// known gives results with trees of which all is known.
func known(ctx context.Context, all []engine.Result) ([]engine.Result, error) {
	out := make([]engine.Result, len(all))
	for i, r := range all {
		var err error
		if out[i], err = wholly(ctx, r); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// fitting gives the inputs as the op of a node needs them: views where names and
// attributes decide, and trees of which all is known where more does.
func (r *run) fitting(ctx context.Context, n *graph.Node, in []engine.Result) ([]engine.Result, error) {
	if !isView(in) {
		return in, nil
	}
	switch op := n.Op().(type) {
	case graph.SetAttr, graph.Hardlink, graph.Rename, graph.Diff:
		return known(ctx, in)
	case graph.Copy:
		if o := op.Options; len(o.Include)+len(o.Exclude) > 0 || o.Gitignore || o.Mode != "" || o.Owner != "" || o.Time != nil {
			var err error
			if in = slices.Clone(in); in[1].Whole != nil {
				in[1], err = wholly(ctx, in[1])
			}
			if err != nil {
				return nil, err
			}
		}
	case graph.Merge:
		if slices.ContainsFunc(in, func(r engine.Result) bool { return r.Changes != nil }) {
			return known(ctx, in)
		}
	case graph.NewFile, graph.NewDirectory, graph.Symlink:
	default:
		return in, nil
	}
	loses, err := r.loses(ctx, n, in)
	if err != nil || !loses {
		return in, nil // the error comes again, as that of the step
	}
	return known(ctx, in) // what is lost is counted
}

// loses tells whether something is lost in a step that has views.
func (r *run) loses(ctx context.Context, n *graph.Node, in []engine.Result) (bool, error) {
	lost := false
	_, err := r.quietly(n, func(e engine.Event) {
		if _, ok := e.(engine.Replaced); ok {
			lost = true
		}
	}).resolve(ctx, in)
	return lost, err
}

// quietly gives a step that does what a node's does, and of which nobody else hears.
func (r *run) quietly(n *graph.Node, heard func(engine.Event)) *step {
	return &step{
		run:  &run{root: r.root, history: newHistory(), engine: r.engine, events: newEvents(engine.SinkFunc(heard)), onStop: r.onStop},
		node: n,
	}
}

// seen gives the result of a step with how all of it can be known, if its tree is a
// view or was made of views.
func (r *run) seen(n *graph.Node, in []engine.Result, res engine.Result) engine.Result {
	if r.engine.where == nil {
		return res
	}
	res.Away = res.Away || res.Held != nil || slices.ContainsFunc(in, func(r engine.Result) bool { return r.Away })
	switch n.Op().(type) {
	case graph.Exec, graph.From, graph.Terminal:
		if res.Whole != nil {
			return res // a step that was made again
		}
		res.Verify = nil
		if h := res.Held; h != nil {
			if _, ok := h.Tree.StandIn(); ok {
				res.Whole = once(func(ctx context.Context) (engine.Result, error) { return r.engine.wholeOf(ctx, res, h) })
			}
		}
		return res
	}
	res.Parts = partsOf(in)
	if res.Whole, res.Verify = nil, nil; !isView(in) {
		return res
	}
	res.Verify = r.verifying(n)
	res.Whole = once(func(ctx context.Context) (engine.Result, error) {
		inputs, err := known(ctx, in)
		if err != nil {
			return engine.Result{}, err
		}
		whole, err := r.quietly(n, func(engine.Event) {}).resolve(ctx, inputs)
		whole.Away, whole.Parts = true, partsOf(inputs)
		return whole, err
	})
	return res
}

// wholly gives a result with a tree of which all is known, for a step: nobody is told
// what it is.
func wholly(ctx context.Context, r engine.Result) (engine.Result, error) {
	if r.Whole == nil {
		return r, nil
	}
	return r.Whole(ctx)
}

// verifying gives what holds the result of a composition against what the remote
// makes of it, once.
func (r *run) verifying(n *graph.Node) func(context.Context, engine.Result) error {
	var mu sync.Mutex
	done := false
	return func(ctx context.Context, whole engine.Result) error {
		mu.Lock()
		defer mu.Unlock()
		if done || whole.Changes != nil {
			return nil
		}
		how, err := r.engine.where.Verify(ctx, whole)
		if err != nil {
			return &graph.CallError{Call: n.Call(), Err: err}
		}
		done = true
		if how.How == engine.LowerApply {
			r.mu.Lock()
			index := r.numbers[n]
			r.mu.Unlock()
			r.notes.lowered(index, how)
			r.events.send(engine.Lowered{Step: index + 1, Lowering: how})
		}
		return nil
	}
}

// wholeOf gives a result whose tree is what a remote holds.
func (e *Engine) wholeOf(ctx context.Context, res engine.Result, h *engine.Held) (engine.Result, error) {
	t, err := e.where.Whole(ctx, h)
	if err != nil {
		return engine.Result{}, err
	}
	res.Tree, res.Whole, res.Held = t, nil, &engine.Held{Tree: t, By: h.By}
	res.Origin, res.Parts = t, heldAs(res.Held)
	return res, nil
}

// once remembers what f gives, unless it fails.
func once(f func(context.Context) (engine.Result, error)) func(context.Context) (engine.Result, error) {
	var mu sync.Mutex
	var res *engine.Result
	return func(ctx context.Context) (engine.Result, error) {
		mu.Lock()
		defer mu.Unlock()
		if res != nil {
			return *res, nil
		}
		r, err := f(ctx)
		if err == nil {
			r.Whole, r.Verify = nil, nil
			res = &r
		}
		return r, err
	}
}

// elsewhere has the remote run the process.
func (x *exec) elsewhere(ctx context.Context) (engine.Result, error) {
	sv, err := x.engine().save(ctx)
	if err != nil {
		return engine.Result{}, err
	}
	defer sv.ingest.Abort()
	out := newOutputs(x, sv.ingest, nil) // the remote masks secrets
	defer out.discard()
	req, p, err := x.request(ctx)
	var none *noPlaceError
	if errors.As(err, &none) {
		return x.came(ctx, p, engine.RemoteExit{Exit: engine.ProcessExit{NotStarted: none.Error()}}, out, sv)
	}
	if err != nil {
		return engine.Result{}, err
	}
	var failed error
	req.Output = func(stderr bool, b []byte) {
		to := out.stdout
		if stderr {
			to = out.stderr
		}
		if _, err := to.Write(b); err != nil && failed == nil {
			failed = err
		}
	}
	req.Restarted = func(on string) {
		x.event(engine.Progress{Step: x.number, What: "started again on " + on})
		if err := out.again(on); err != nil && failed == nil {
			failed = err
		}
	}
	exit, err := x.engine().where.Exec(ctx, req)
	if err != nil && ctx.Err() == nil {
		if missing := x.secretsAreThere(ctx); missing != nil {
			err = missing // a remote does not say why
		}
	}
	if flushErr := out.flush(); err == nil {
		err = errors.Join(flushErr, failed)
	}
	if err != nil {
		return engine.Result{}, err
	}
	x.attempt = exit.Attempt
	if x.cached = exit.Cached; exit.Cached {
		err = out.replay(exit)
	} else {
		x.uncached(engine.NotKnown, "the remote had no result of it")
	}
	if err != nil {
		return engine.Result{}, err
	}
	return x.came(ctx, p, exit, out, sv)
}

// came gives what became of a process that the remote ran.
func (x *exec) came(ctx context.Context, p runtime.Process, exit engine.RemoteExit, out *outputs, sv *saving) (engine.Result, error) {
	res := x.in[0]
	if exit.Held != nil {
		res.Tree, res.Held, res.Whole = exit.Held.Tree, exit.Held, nil
		res.Origin, res.Parts = res.Tree, heldAs(exit.Held)
	}
	code := runtime.Exit{Code: exit.Exit.Code, OOM: exit.Exit.OOM}
	var start error
	if text := exit.Exit.NotStarted; text != "" {
		start = runtime.NotStarted(x.spec.Args[0], text)
	}
	failed := x.failure(ctx, p, code, start, out)
	x.process = out.process(code, failed, false)
	x.process.Signal = exit.Exit.Signal
	if failed != nil {
		x.step.run.leave(x.node, x.step.run.seen(x.node, x.in, res))
		return engine.Result{}, failed
	}
	rec := execRecord{Args: x.spec.Args, ExitCode: code.Code}
	var err error
	if rec.Stdout, rec.Stderr, err = out.finish(ctx); err != nil {
		return engine.Result{}, err
	}
	if err := sv.commit(ctx, store.Changes{}); err != nil {
		return engine.Result{}, err
	}
	res.Exec = &engine.Exec{Args: rec.Args, ExitCode: rec.ExitCode, Stdout: rec.Stdout, Stderr: rec.Stderr}
	return res, nil
}

// again throws away what a process wrote that is run again; the log has it.
func (o *outputs) again(on string) error {
	if o.stdout.size+o.stderr.size > 0 { // it stays in the log
		o.note(o.stderr, fmt.Appendf(nil, "[what was said before is of a run that does not count: started again on %s]\n", on))
	}
	for _, s := range []*output{o.stdout, o.stderr} {
		if err := s.blob.Discard(); err != nil {
			return err
		}
		s.blob, s.tail, s.size = o.create(), tail{}, 0
		s.mask = mask.New(outputSink{s}, nil)
	}
	return nil
}

// replay takes what a process wrote when it ran. Nobody watches it again.
func (o *outputs) replay(exit engine.RemoteExit) error {
	for _, s := range []struct {
		to   *output
		from io.Reader
	}{{o.stdout, exit.Stdout}, {o.stderr, exit.Stderr}} {
		s.to.silent = true
		if _, err := io.Copy(s.to, s.from); err != nil {
			return err
		}
	}
	return o.flush()
}

// request says what the remote is to run.
func (x *exec) request(ctx context.Context) (engine.RemoteExec, runtime.Process, error) {
	r, p, err := x.remoteProcess(ctx)
	return engine.RemoteExec{RemoteProcess: r, Stdin: x.spec.Stdin, NoCache: x.spec.NoCache, Expect: x.spec.Expect, Remembered: x.step.run.remaking, Attempt: x.step.run.attempts[x.node]}, p, err
}

// remoteProcess says what the remote is to run, and what it sees.
func (x *exec) remoteProcess(ctx context.Context) (engine.RemoteProcess, runtime.Process, error) {
	p, err := x.describe(ctx, "/")
	if err != nil {
		return engine.RemoteProcess{}, p, err
	}
	r := engine.RemoteProcess{
		Call: x.node.Call(), Root: x.in[0], Args: p.Args, Env: p.Env, Dir: p.Dir,
		UID: p.User.UID, GID: p.User.GID, Groups: p.User.Groups, Network: x.spec.Network,
		Lowered: func(l engine.Lowering) { x.event(engine.Lowered{Step: x.number, Lowering: l}) },
	}
	seen := tree.NewDraft(x.in[0].Tree)
	for _, m := range x.spec.Mounts {
		rm, err := x.remoteMount(ctx, seen, m)
		if err != nil {
			return r, p, fmt.Errorf("mount at %s: %w", m.Target, err)
		}
		r.Mounts = append(r.Mounts, rm)
	}
	return r, p, nil
}

// noPlaceError means that there is no place for a mount, so that the process cannot be
// started: its words are those of package runtime.
type noPlaceError struct {
	at  string
	err syscall.Errno
}

func (e *noPlaceError) Error() string { return fmt.Sprintf("mount point %s: %s", e.at, e.err) }

// remoteMount finds where a mount is, in the tree as the process sees it by then.
func (x *exec) remoteMount(ctx context.Context, seen *tree.Draft, m graph.Mount) (engine.RemoteMount, error) {
	rm := engine.RemoteMount{Mount: m, Path: "/"}
	r, err := seen.Resolve(ctx, m.Target, tree.FollowAll)
	switch {
	case errors.Is(err, tree.ErrNotDirectory):
		return rm, &noPlaceError{m.Target, syscall.ENOTDIR}
	case errors.Is(err, tree.ErrLoop):
		return rm, &noPlaceError{m.Target, syscall.ELOOP}
	case errors.Is(err, fs.ErrNotExist):
		return rm, &noPlaceError{m.Target, syscall.ENOENT}
	case err != nil:
		return rm, err
	}
	rm.Target = r.Path
	if m.Kind == graph.MountSecret && m.Owner != "" {
		o, err := compose.LookupOwner(ctx, m.Owner, x.in[0].Tree, x.engine())
		if err != nil {
			return rm, err
		}
		rm.Owner = fmt.Sprintf("%d:%d", o.UID, o.GID)
	}
	if m.Kind == graph.MountTree {
		if m.Input < 1 || m.Input >= len(x.in) {
			return rm, fmt.Errorf("input %d of the exec does not exist", m.Input)
		}
		rm.From = x.in[m.Input]
		from, err := tree.Resolve(ctx, rm.From.Tree, path.Join("/", m.Path), tree.FollowAll)
		if err != nil {
			return rm, err
		}
		if from.Entry == nil {
			return rm, &fs.PathError{Op: "mount", Path: m.Path, Err: fmt.Errorf("%w; the nearest directory that exists is %s", fs.ErrNotExist, from.Nearest)}
		}
		rm.Path = from.Path
	}
	shown, err := x.shown(ctx, m)
	if err != nil {
		return rm, err
	}
	return rm, show(ctx, seen, r.Path, shown)
}

// leave remembers what a failed step left at the remote.
func (r *run) leave(n *graph.Node, res engine.Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left == nil {
		r.left = map[*graph.Node]engine.Result{}
	}
	r.left[n] = res
}

// remade gives what a step came to of which the store has no tree: it is resolved
// again, and what the remote still has is there at once.
func (e *Engine) remade(ctx context.Context, f runs.Found, st *runs.Step) (engine.Result, error) {
	if e.where == nil {
		name, err := f.Engine()
		if err != nil {
			return engine.Result{}, err
		}
		return engine.Result{}, fmt.Errorf("step %d of run %s was made elsewhere, and is looked into there: use --engine %s", st.Number(), f.Run.Name, name)
	}
	n, attempts, err := remadeBy(f, st)
	if err != nil {
		return engine.Result{}, fmt.Errorf("step %d of run %s cannot be made again: %w", st.Number(), f.Run.Name, err)
	}
	r := &run{root: n, remaking: true, attempts: attempts, history: newHistory(), engine: e, events: newEvents(nil), onStop: func(func(error)) func() bool {
		return func() bool { return true }
	}}
	if err := r.keepContents(ctx, n); err != nil {
		return engine.Result{}, err
	}
	res, err := r.resolve(ctx, n)
	if err == nil || st.State != runs.Failed && st.State != runs.Canceled {
		return res, err
	}
	if left, ok := r.left[n]; ok {
		return left, nil
	}
	if in := n.Inputs(); len(in) > 0 && ctx.Err() == nil { // it left what it began with
		return r.resolve(ctx, in[0])
	}
	return res, err
}

// remadeBy gives the node of a step of a run.
func remadeBy(f runs.Found, st *runs.Step) (n *graph.Node, attempts map[*graph.Node]string, err error) {
	nodes := map[int]*graph.Node{}
	attempts = map[*graph.Node]string{}
	var make func(st *runs.Step) (*graph.Node, error)
	make = func(st *runs.Step) (*graph.Node, error) {
		if n := nodes[st.Index]; n != nil {
			return n, nil
		}
		var op graph.Op
		var inputs []*graph.Node
		if !st.After.IsZero() {
			op = graph.From{Source: runs.Name{Run: f.Run.Name, Step: fmt.Sprint(st.Number())}.String()}
		} else {
			if st.Node == nil {
				return nil, fmt.Errorf("how step %d was made was not written down", st.Number())
			}
			var err error
			if op, err = st.Node.Decode(); err != nil {
				return nil, err
			}
			if t, ok := op.(graph.Terminal); ok && t.Keep {
				return nil, fmt.Errorf("what somebody left in the terminal of step %d was kept for that run alone", st.Number())
			}
			for _, i := range st.Inputs {
				if i >= len(f.Steps) || i >= st.Index {
					return nil, errors.New("its record is damaged")
				}
				in, err := make(&f.Steps[i])
				if err != nil {
					return nil, err
				}
				inputs = append(inputs, in)
			}
		}
		n := graph.New(op, string(st.Call), inputs...)
		if _, ok := op.(graph.Terminal); ok && len(inputs) > 0 {
			n = inputs[0] // it is not opened again, and changed nothing
		}
		nodes[st.Index] = n
		attempts[n] = st.Attempt
		return n, nil
	}
	n, err = make(st)
	return n, attempts, err
}
