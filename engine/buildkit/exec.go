package buildkit

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/moby/buildkit/client/llb"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"
	godigest "github.com/opencontainers/go-digest"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/daemon"
	"github.com/inlaybuild/inlay/internal/shim"
	"github.com/inlaybuild/inlay/tree"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// Exec runs a process at a daemon. It ends well there however the process ends, so
// that what it left is kept; how it ended is among what the shim wrote.
func (r *Remote) Exec(ctx context.Context, x engine.RemoteExec) (engine.RemoteExit, error) {
	points, err := mountPoints(ctx, x.RemoteProcess)
	if errors.As(err, new(syscall.Errno)) {
		return engine.RemoteExit{Exit: engine.ProcessExit{NotStarted: err.Error()}}, nil
	}
	if err != nil {
		return engine.RemoteExit{}, err
	}
	run, err := r.process(ctx, x, points)
	if err != nil {
		return engine.RemoteExit{}, err
	}
	key, err := run.key(ctx)
	if err != nil {
		return engine.RemoteExit{}, err
	}
	attempt, err := r.local.Recall(ctx, key)
	if err != nil {
		return engine.RemoteExit{}, err
	}
	if x.Remembered {
		attempt = []byte(x.Attempt)
	}
	failures, fresh := 0, false
	for tries := 1; ; tries++ {
		out, name, err := run.try(ctx, attempt)
		var other *otherRunError
		next := ""
		switch {
		case errors.As(err, &other) && tries < mostTries:
			next = other.next()
		case err != nil || !out.Cached || x.Remembered || slices.Contains(x.Expect, out.Exit.Code) || fresh:
			return out, err
		case failures == mostFailures:
			next, fresh = rand.Text(), true
		default:
			next, tries = afterFailure(attempt, name), 0
			failures++
		}
		// The daemon takes what a failed process left for a result, or has what one run
		// said and what another one left. It is run again as another one, which has the
		// same name for all that see the same, and that is remembered: what comes of it is
		// a result. (That the daemon ignores its result would be simpler, but then it
		// empties caches, too.)
		attempt = []byte(next)
		if err := r.local.Remember(ctx, map[digest.Digest][]byte{key: attempt}); err != nil {
			return engine.RemoteExit{}, err
		}
	}
}

// mostTries is how often a process is run until a daemon has all of one run, and
// mostFailures how many failures are gone through until it has a name of its own.
const (
	mostTries    = 3
	mostFailures = 100
)

// afterFailure names the attempt that takes the place of one that failed.
func afterFailure(attempt []byte, run string) string {
	return digest.Of([]byte("inlay attempt 2\n" + string(attempt) + "\n" + run)).Hex()
}

// otherRunError means that what a process said and what it left are of two runs of it. A
// daemon keeps the two apart, and makes what it lacks by another run.
type otherRunError struct{ said, left string }

func (*otherRunError) Error() string {
	return "the daemon gives what the process said in one run, and what it left in another one, each time that it is tried: have it forget them, with buildctl prune, or take another daemon"
}

// next names the attempt that takes the place of these runs.
func (e *otherRunError) next() string {
	return digest.Of([]byte("inlay attempt 1\n" + e.said + "\n" + e.left)).Hex()
}

// process is a process that is ready to run at a daemon.
type process struct {
	remote  *Remote
	x       engine.RemoteExec
	root    llb.State
	points  *points
	inexact string            // why layers of the root are not exact
	inputs  map[string][]byte // files of the shim
	with    []llb.RunOption
}

// process makes the trees that it is to see, and says how it is run.
func (r *Remote) process(ctx context.Context, x engine.RemoteExec, at *points) (*process, error) {
	rootAttr := x.Root.Tree.Attr()
	if err := keepsAttr("/", rootAttr); err != nil {
		return nil, err
	}
	root, err := r.lowered(ctx, x.Root)
	if err != nil {
		return nil, err
	}
	x.Lowered(root.how)
	ourImage, err := r.shim(ctx)
	if err != nil {
		return nil, err
	}
	p := &process{remote: r, x: x, root: root.state.Hostname(hostname), inexact: root.inexact, points: at}
	roots := map[string]tree.Attr{}
	mounts, secrets, err := p.mounts(ctx, roots)
	if err != nil {
		return nil, err
	}
	spec := shim.Spec{
		Mounts: roots,
		Args:   x.Args, Env: x.Env, Dir: x.Dir, User: shim.User{UID: x.UID, GID: x.GID, Groups: x.Groups}, SecretFiles: secrets,
	}
	spec.Root, spec.Made, spec.Times = &rootAttr, at.ways(), at.times
	inputs := map[string][]byte{"trees": treeNames(x)}
	p.inputs = inputs
	if len(x.Stdin) > 0 {
		spec.Stdin = specDir + "/stdin"
		inputs["stdin"] = x.Stdin
	}
	if inputs["spec"], err = spec.Encode(); err != nil {
		return nil, err
	}
	if x.NoCache != "" {
		inputs["no-cache"] = []byte(x.NoCache)
	}
	p.with = append(mounts,
		llb.Args([]string{program, "exec", specDir + "/spec", outDir}),
		llb.AddMount(ours, ourImage, llb.Readonly),
		llb.AddMount("/etc/hostname", ourImage, llb.SourcePath("/"+hostnameFile), llb.Readonly),
		llb.Dir("/"), llb.User("0:0"),
		llb.WithCustomName(x.Call),
	)
	if x.Network == graph.NetworkNone {
		p.with = append(p.with, llb.Network(pb.NetMode_NONE))
	}
	return p, nil
}

// run gives the process as a state: the first attempt has no name.
func (p *process) run(attempt []byte) llb.ExecState {
	inputs := p.inputs
	if len(attempt) > 0 {
		inputs = maps.Clone(inputs)
		inputs["attempt"] = attempt
	}
	return p.root.Run(append(slices.Clone(p.with), llb.AddMount(specDir, files(inputs), llb.Readonly))...)
}

// key names the process, whatever the attempt.
func (p *process) key(ctx context.Context) (digest.Digest, error) {
	v, err := p.remote.vertex(ctx, p.run(nil).Root())
	if err != nil {
		return digest.Digest{}, err
	}
	return digest.Parse(v.String())
}

// treeNames names what a process sees. A daemon that compares contents takes trees for
// one that differ in times alone, and what a process left in one of them for what it
// leaves in the other. Of what a process left it is the run: a daemon takes that of
// another one for the same.
func treeNames(x engine.RemoteExec) []byte {
	b := []byte(x.Root.Tree.Digest().String() + "\n")
	for _, m := range x.Mounts {
		if m.Kind == graph.MountTree {
			b = append(b, m.From.Tree.Digest().String()+" "+m.Path+"\n"...)
		}
	}
	for _, h := range heldBy(treesOf(x.RemoteProcess)...) {
		if run := h.run(); run != "" {
			b = append(b, "run "+run+"\n"...)
		}
	}
	return b
}

// mounts gives the mounts of a process, and the paths of those that are secrets. It
// notes which attributes the directories have that are trees' roots.
func (p *process) mounts(ctx context.Context, roots map[string]tree.Attr) (out []llb.RunOption, secrets []string, err error) {
	for _, m := range p.x.Mounts {
		if !utf8.ValidString(m.Target) {
			return nil, nil, fmt.Errorf("mount at %s: it leads to %q, which is no text, as a BuildKit daemon's mount points are", m.Mount.Target, m.Target)
		}
		switch m.Kind {
		case graph.MountTree:
			s, how, err := p.remote.lower(ctx, m.From)
			if err != nil {
				return nil, nil, fmt.Errorf("mount at %s: %w", m.Mount.Target, err)
			}
			how.Why = "mounted at " + m.Mount.Target + ": " + how.Why
			p.x.Lowered(how)
			o := []llb.MountOption{llb.ForceNoOutput}
			if m.Path != "/" {
				if !utf8.ValidString(m.Path) {
					return nil, nil, fmt.Errorf("mount at %s: %q is no text, which the paths of a BuildKit daemon's mounts are: mount a directory that leads there", m.Mount.Target, m.Path)
				}
				o = append(o, llb.SourcePath(m.Path))
			} else {
				roots[m.Target] = m.From.Tree.Attr()
				if err := keepsAttr(m.Mount.Target, roots[m.Target]); err != nil {
					return nil, nil, err
				}
			}
			out = append(out, llb.AddMount(m.Target, s, o...))
		case graph.MountCache:
			out = append(out, llb.AddMount(m.Target, llb.Scratch(), llb.AsPersistentCacheDir(cacheID(m.Name), llb.CacheMountShared)))
		case graph.MountTemp:
			out = append(out, llb.AddMount(m.Target, llb.Scratch(), llb.Tmpfs(llb.TmpfsSize(m.Size))))
		case graph.MountSecret:
			uid, gid, err := ownerOf(m.Owner)
			if err != nil {
				return nil, nil, fmt.Errorf("secret at %s: %w", m.Mount.Target, err)
			}
			mode := m.Mode
			if mode == 0 {
				mode = 0o400
			}
			out = append(out, llb.AddSecret(m.Target, llb.SecretID(m.Name), llb.SecretFileOpt(uid, gid, int(mode))))
			secrets = append(secrets, m.Target)
		default:
			return nil, nil, fmt.Errorf("this engine does not know mounts of the kind %q", m.Kind)
		}
	}
	return out, secrets, nil
}

// cacheID gives what a daemon knows a cache by.
func cacheID(name string) string { return "inlay/" + name }

// ownerOf reads "uid:gid"; "" is 0:0.
func ownerOf(s string) (uid, gid int, err error) {
	if s == "" {
		return 0, 0, nil
	}
	u, g, ok := strings.Cut(s, ":")
	if !ok {
		g = u
	}
	if uid, err = strconv.Atoi(u); err == nil {
		gid, err = strconv.Atoi(g)
	}
	if err != nil {
		err = fmt.Errorf("owner %q: want uid:gid", s)
	}
	return uid, gid, err
}

// try runs the process, or takes what the daemon remembers of it. It gives the name of
// the run.
func (p *process) try(ctx context.Context, attempt []byte) (ran engine.RemoteExit, name string, err error) {
	run := p.run(attempt)
	out := run.AddMount(outDir, llb.Scratch())
	h, err := p.remote.hold(ctx, run.Root(), p.x.Root.Tree.Attr())
	if err != nil {
		return engine.RemoteExit{}, "", err
	}
	said, err := p.remote.hold(ctx, out, tree.Attr{})
	if err != nil {
		return engine.RemoteExit{}, "", err
	}
	vertex, err := p.remote.vertex(ctx, run.Root())
	if err != nil {
		return engine.RemoteExit{}, "", err
	}
	var exit engine.RemoteExit
	var e shim.Exit
	defer func() { ran.Attempt = string(attempt) }()
	attempts := 0
	var on *daemon.Daemon
	var ended []byte
	var layered bool
	err = p.remote.on(ctx, func(d *daemon.Daemon) error {
		if attempts++; attempts > 1 {
			p.x.Restarted(d.Address().String())
		}
		if err := endsAgain(ctx, d, heldBy(treesOf(p.x.RemoteProcess)...)...); err != nil {
			return d.Lost(err)
		}
		live := &live{to: p.x.Output}
		w := p.remote.watches.watch(vertex, live.take)
		defer w.stop()
		ref, err := said.solved(ctx, d)
		if err != nil {
			return err
		}
		on = d
		exit, e, ended, err = p.exit(ctx, ref, w, live)
		name = e.Run
		w.stop() // should it run again, nobody is to hear that
		if err == nil && exit.Exit.NotStarted == "" {
			name, layered, err = p.sameRun(ctx, d, h, ref, e)
		}
		if errors.As(err, new(*otherRunError)) && !exit.Cached {
			p.x.Restarted(d.Address().String())
		}
		return d.Lost(err)
	})
	if err == nil && exit.Exit.NotStarted != "" {
		return exit, name, nil // it left nothing
	}
	if err != nil && ctx.Err() == nil {
		if detail, ok := p.remote.watches.notStarted(ctx, vertex); ok {
			return engine.RemoteExit{Exit: engine.ProcessExit{NotStarted: detail}}, name, nil
		}
	}
	if err == nil {
		h.setAttr(e.Root)
		if layered { // a list of it is another one
			ended = append(ended, "out of a cache"...)
		}
		h.identify(on, ended) // tidy looks into it, and may give another
		h.leftBy(name, clockOf(p.x.RemoteProcess, e, layered))
		h, err = p.points.tidy(ctx, h, e.Made)
	}
	if err == nil {
		h.identify(on, ended)
		h.leftBy(name, clockOf(p.x.RemoteProcess, e, layered))
		h.ended(&ending{p.x.Call, exit.Exit.Code, said, heldBy(treesOf(p.x.RemoteProcess)...), on})
		p.remote.made(came{p.x.Call, h, said, treesOf(p.x.RemoteProcess), p.inexact})
		exit.Held = h.asView()
	}
	if err != nil && ctx.Err() == nil && !errors.Is(err, daemon.ErrLost) {
		err = fmt.Errorf("at the daemon: %w", err)
	}
	return exit, name, err
}

// sameRun tells whether what the process left is of the run that said how it ended; if
// it is not, the error is an otherRunError. What comes out of a cache has lost the name of
// its run, and is that of what it said if that comes out of a cache, too. It gives the
// name of the run, and tells whether what it left has been through a layer of a cache.
func (p *process) sameRun(ctx context.Context, d *daemon.Daemon, left *held, said daemon.Ref, e shim.Exit) (run string, layered bool, err error) {
	ref, err := left.solved(ctx, d)
	if err != nil {
		return "", false, err
	}
	of, err := runOf(ctx, ref)
	same := of == e.Run || of == "" && !e.Marked
	if err == nil && of == "" && !same {
		var here string
		here, err = runOf(ctx, said)
		same = here == ""
	}
	switch {
	case err != nil:
		return "", false, fmt.Errorf("which run it is of: %w", err)
	case same:
		return e.Run, e.Marked && of == "", nil
	case p.x.Remembered:
		return "", false, errors.New("the daemon has dropped a part of what this step came to: run it again")
	}
	return "", false, &otherRunError{said: e.Run, left: of}
}

// runOf gives the run that left a directory; "" if it does not say.
func runOf(ctx context.Context, ref daemon.Ref) (string, error) {
	if ref.IsEmpty() {
		return "", nil
	}
	st, err := ref.Reference().StatFile(ctx, gateway.StatRequest{Path: "/"})
	if err != nil {
		return "", err
	}
	return string(st.Xattrs[shim.RunAttr]), nil
}

// exit reads how the process ended; text is what says so.
func (p *process) exit(ctx context.Context, ref daemon.Ref, w *watch, live *live) (exit engine.RemoteExit, e shim.Exit, text []byte, err error) {
	if text, err = ref.ReadFile(ctx, shim.ExitFile); err != nil {
		return exit, e, text, err
	}
	if e, err = shim.DecodeExit(text); err != nil {
		return exit, e, text, err
	}
	var began time.Time
	if n := e.StartedUnixNano; n != 0 {
		began = time.Unix(0, n)
	}
	exit.Cached = w.wasCached(ctx, began)
	exit.Exit = processExit(e)
	exit.Stdout, exit.Stderr = ref.Open(ctx, shim.StdoutFile), ref.Open(ctx, shim.StderrFile)
	if !exit.Cached {
		err = live.rest(ctx, ref, e)
	}
	return exit, e, text, err
}

// vertex gives the name that the daemon's progress has for what makes a state.
func (r *Remote) vertex(ctx context.Context, s llb.State) (v godigest.Digest, err error) {
	err = r.on(ctx, func(d *daemon.Daemon) error {
		def, err := d.Define(ctx, s)
		if err != nil {
			return err
		}
		var last pb.Op
		if err := last.UnmarshalVT(def.Def[len(def.Def)-1]); err != nil {
			return err
		}
		if len(last.Inputs) == 0 {
			return errors.New("a state without anything that makes it")
		}
		v = godigest.Digest(last.Inputs[0].Digest)
		return nil
	})
	return v, err
}

// live passes on what a process says while it runs, as the daemon tells it: up to
// the daemon's limit.
type live struct {
	to func(stderr bool, b []byte)

	mu      sync.Mutex
	got     [2]int64
	clipped [2]bool
}

// clip is how a daemon says that it tells no more.
var clip = []byte("[output clipped, log limit ")

func (l *live) take(stderr bool, b []byte) {
	i := 0
	if stderr {
		i = 1
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.clipped[i] {
		return
	}
	if at := bytes.Index(b, clip); at >= 0 {
		l.clipped[i] = true
		b = bytes.TrimSuffix(b[:at], []byte("\n"))
	}
	if len(b) > 0 {
		l.got[i] += int64(len(b))
		l.to(stderr, b)
	}
}

// rest passes on what the daemon did not tell.
func (l *live) rest(ctx context.Context, ref daemon.Ref, e shim.Exit) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clipped = [2]bool{true, true} // what comes late has been read
	for i, f := range []struct {
		name string
		size int64
	}{{shim.StdoutFile, e.StdoutSize}, {shim.StderrFile, e.StderrSize}} {
		for l.got[i] < f.size {
			b, err := ref.ReadRange(ctx, f.name, l.got[i], min(f.size-l.got[i], 1<<20))
			if err != nil {
				return err
			}
			if len(b) == 0 {
				return io.ErrUnexpectedEOF
			}
			l.got[i] += int64(len(b))
			l.to(i == 1, b)
		}
	}
	return nil
}
