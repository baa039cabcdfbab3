package buildkit

import (
	"context"
	"errors"
	"fmt"
	goruntime "runtime"
	"strconv"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/moby/buildkit/client/llb"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	"github.com/moby/buildkit/solver/pb"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/daemon"
	"github.com/inlaybuild/inlay/internal/shim"
	"github.com/inlaybuild/inlay/tree"
)

// A session is a container of the daemon's gateway. Its first process is the shim,
// which runs the person's as an ordinary one beside it, says how that ended, and stays:
// then what was left is looked at by other processes in the same container, and goes
// with it. The container ends with the session with the daemon, so nothing runs on when
// this process is killed.

// Enter runs the process of a session.
func (r *Remote) Enter(ctx context.Context, x engine.RemoteSession) (engine.RemoteVisit, error) {
	points, err := mountPoints(ctx, x.RemoteProcess)
	if errors.As(err, new(syscall.Errno)) {
		return &visit{remote: r, exit: shim.Exit{Start: &shim.Start{Detail: err.Error()}}}, nil
	}
	if err != nil {
		return nil, err
	}
	c, err := r.container(ctx, x, points)
	if err != nil {
		return nil, notLost(ctx, err)
	}
	v := &visit{remote: r, container: c, root: x.Root.Tree.Attr(), clock: clockAmong(x.Root)}
	if v.exit, err = attend(ctx, c, x); err != nil {
		v.Close(ctx)
		return nil, notLost(ctx, err)
	}
	return v, nil
}

// notLost says where it failed, if that is not said.
func notLost(ctx context.Context, err error) error {
	if ctx.Err() == nil && !errors.Is(err, daemon.ErrLost) {
		return fmt.Errorf("at the daemon: %w", err)
	}
	return err
}

// container makes what the process is to see, and the container that sees it.
func (r *Remote) container(ctx context.Context, x engine.RemoteSession, at *points) (c *daemon.Container, err error) {
	places, err := r.placesOf(ctx, x, at)
	if err != nil {
		return nil, err
	}
	network := pb.NetMode_UNSET
	if x.Network == graph.NetworkNone {
		network = pb.NetMode_NONE
	}
	err = r.on(ctx, func(d *daemon.Daemon) error {
		if arch := d.Platform().Architecture; x.Lent != nil && arch != goruntime.GOARCH {
			return fmt.Errorf("the shell that is lent is a program for %s, and the daemon runs those for %s: name a program of the tree", goruntime.GOARCH, arch)
		}
		if err := endsAgain(ctx, d, heldBy(treesOf(x.RemoteProcess)...)...); err != nil {
			return d.Lost(err)
		}
		mounts, err := solved(ctx, d, places)
		if err != nil {
			return err
		}
		c, err = d.NewContainer(ctx, hostname, mounts, network)
		return err
	})
	return c, err
}

// mountPlace is a mount whose result is still to be made.
type mountPlace struct {
	gateway.Mount
	state *llb.State // nil: nothing is to be made
}

// placesOf gives the mounts of a session, the root first.
func (r *Remote) placesOf(ctx context.Context, x engine.RemoteSession, at *points) ([]mountPlace, error) {
	attr := x.Root.Tree.Attr()
	if err := keepsAttr("/", attr); err != nil {
		return nil, err
	}
	root, how, err := r.lower(ctx, x.Root)
	if err != nil {
		return nil, err
	}
	x.Lowered(how)
	name, err := r.shim(ctx)
	if err != nil {
		return nil, err
	}
	program, err := r.lending(ctx, x)
	if err != nil {
		return nil, err
	}
	spec := shim.Spec{
		Args: x.Args, Env: x.Env, Dir: x.Dir, User: shim.User{UID: x.UID, GID: x.GID, Groups: x.Groups},
		Root: &attr, Made: at.ways(), Times: at.times, Mounts: map[string]tree.Attr{},
	}
	var mounts []mountPlace
	for _, m := range x.Mounts {
		p, err := r.placeOf(ctx, x, m)
		if err == nil && m.Kind == graph.MountTree && m.Path == "/" {
			spec.Mounts[m.Target] = m.From.Tree.Attr()
			err = keepsAttr(m.Mount.Target, m.From.Tree.Attr())
		}
		if err != nil {
			return nil, fmt.Errorf("mount at %s: %w", m.Mount.Target, err)
		}
		mounts = append(mounts, p)
	}
	text, err := spec.Encode()
	if err != nil {
		return nil, err
	}
	instructions := files(map[string][]byte{"spec": text})
	return append([]mountPlace{
		{gateway.Mount{Dest: "/"}, &root},
		{gateway.Mount{Dest: ours, Readonly: true}, &program},
		{gateway.Mount{Dest: specDir, Readonly: true}, &instructions},
		{gateway.Mount{Dest: "/etc/hostname", Selector: "/" + hostnameFile, Readonly: true}, &name},
	}, mounts...), nil
}

// placeOf gives a mount of the step that is stood in.
func (r *Remote) placeOf(ctx context.Context, x engine.RemoteSession, m engine.RemoteMount) (p mountPlace, err error) {
	if !utf8.ValidString(m.Target) || !utf8.ValidString(m.Path) {
		return p, fmt.Errorf("it leads from %q to %q, which is no text, as the paths of a BuildKit daemon's mounts are", m.Path, m.Target)
	}
	p.Dest = m.Target
	switch m.Kind {
	case graph.MountTree:
		s, how, err := r.lower(ctx, m.From)
		if err != nil {
			return p, err
		}
		how.Why = "mounted at " + m.Mount.Target + ": " + how.Why
		x.Lowered(how)
		p.state = &s
		if m.Path != "/" {
			p.Selector = m.Path
		}
	case graph.MountCache:
		p.MountType, p.CacheOpt = pb.MountType_CACHE, &pb.CacheOpt{ID: cacheID(m.Name), Sharing: pb.CacheSharingOpt_SHARED}
	case graph.MountTemp:
		p.MountType = pb.MountType_TMPFS // of half of the memory: a container is not told of another size
	case graph.MountSecret:
		uid, gid, err := ownerOf(m.Owner)
		if err != nil {
			return p, err
		}
		mode := m.Mode
		if mode == 0 {
			mode = 0o400
		}
		p.MountType, p.SecretOpt = pb.MountType_SECRET, &pb.SecretOpt{ID: m.Name, Uid: uint32(uid), Gid: uint32(gid), Mode: mode}
	default:
		return p, fmt.Errorf("this engine does not know mounts of the kind %q", m.Kind)
	}
	return p, nil
}

// lending gives the image of the shim, with what is lent beside it.
func (r *Remote) lending(ctx context.Context, x engine.RemoteSession) (llb.State, error) {
	if x.Lent == nil {
		return r.shim(ctx)
	}
	if x.LentAt != ours {
		return llb.State{}, fmt.Errorf("what is lent is shown at %s, not at %s", ours, x.LentAt)
	}
	t, err := r.shimTree(ctx)
	if err != nil {
		return llb.State{}, err
	}
	d := tree.NewDraft(*x.Lent)
	for c, err := range t.All(ctx) {
		if err != nil {
			return llb.State{}, err
		}
		if _, ok, err := d.Get(ctx, c.Name); err != nil {
			return llb.State{}, err
		} else if !ok { // a program may be named as one of our files that is not needed here
			d.Put(c.Name, c.Entry)
		}
	}
	if t, err = d.Tree(ctx); err != nil {
		return llb.State{}, err
	}
	return r.uploads.state(ctx, t)
}

// solved has a daemon make what is mounted.
func solved(ctx context.Context, d *daemon.Daemon, places []mountPlace) ([]gateway.Mount, error) {
	var defs []*llb.Definition
	for _, p := range places {
		if p.state == nil {
			continue
		}
		def, err := d.Define(ctx, *p.state)
		if err != nil {
			return nil, err
		}
		defs = append(defs, def)
	}
	refs, err := d.Solve(ctx, defs...)
	if err != nil {
		return nil, err
	}
	var out []gateway.Mount
	for _, p := range places {
		if p.state != nil {
			if ref := refs[0]; !ref.IsEmpty() {
				p.Ref = ref.Reference()
			}
			refs = refs[1:]
		}
		out = append(out, p.Mount)
	}
	return out, nil
}

// visit is a session whose process has ended.
type visit struct {
	remote    *Remote
	container *daemon.Container // nil if none was made
	root      tree.Attr         // of the root, as the process found it
	clock     clock             // of what it began with
	exit      shim.Exit
}

// Exit tells how it ended.
func (v *visit) Exit() (engine.ProcessExit, time.Duration) {
	return processExit(v.exit), time.Duration(v.exit.ElapsedNano)
}

// Close ends the container.
func (v *visit) Close(ctx context.Context) {
	if v.container == nil {
		return
	}
	ctx, end := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer end()
	v.container.Close(ctx)
}

// patience is how long a daemon has to do what it does at once.
const patience = 10 * time.Second

// processExit gives what engines know of an exit.
func processExit(e shim.Exit) engine.ProcessExit {
	out := engine.ProcessExit{Code: e.Code, Signal: e.Signal, OOM: e.OOM}
	if e.Start != nil {
		out.NotStarted = e.Start.Detail
	}
	return out
}

// sizeArgs gives a size as the shim is told it.
func sizeArgs(s engine.WindowSize) []string {
	return []string{strconv.Itoa(int(s.Rows)), strconv.Itoa(int(s.Columns))}
}
