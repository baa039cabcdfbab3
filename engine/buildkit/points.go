package buildkit

import (
	"context"
	"os"
	"path"
	"strings"

	"github.com/moby/buildkit/client/llb"
	gateway "github.com/moby/buildkit/frontend/gateway/client"
	fstypes "github.com/tonistiigi/fsutil/types"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/internal/daemon"
	"github.com/inlaybuild/inlay/tree"
)

// points is what a daemon makes in a tree so that something can be mounted there.
// It takes the last name of each away again, if that is empty, but not what leads
// there, nor what runc itself mounts at; and the directories that all of it is in
// are changed by that.
type points struct {
	times map[string]tree.Time // of directories that are there, in which points are made
	made  []string             // the first name of each that is not there
}

// usual is where something is mounted in every container.
var usual = []string{"/etc/hosts", "/etc/resolv.conf", "/proc", "/sys", "/dev", ours}

// mountPoints finds the mount points that the daemon makes for a process.
func mountPoints(ctx context.Context, x engine.RemoteProcess) (points, error) {
	all := usual
	for _, m := range x.Mounts {
		all = append(all[:len(all):len(all)], m.Target)
	}
	p := points{times: map[string]tree.Time{}}
	for _, at := range all {
		r, err := tree.Resolve(ctx, x.Root.Tree, at, tree.FollowAll)
		if err != nil || r.Entry != nil {
			continue // if it matters, the process is not started, and that says why
		}
		dir, err := tree.Resolve(ctx, x.Root.Tree, r.Nearest, tree.FollowNone)
		if err != nil {
			return p, err
		}
		if dir.Entry == nil {
			continue
		}
		if r.Nearest != "/" {
			p.times[r.Nearest] = dir.Entry.Attr().ModTime
		}
		rest := strings.TrimPrefix(strings.TrimPrefix(r.Path, r.Nearest), "/")
		first, _, _ := strings.Cut(rest, "/")
		p.made = append(p.made, path.Join(r.Nearest, first))
	}
	return p, nil
}

// tidy takes away of what a process left what the daemon made and left there.
func (p points) tidy(ctx context.Context, h *held) (*held, error) {
	var gone []string
	parents := tree.NewDraft(tree.Empty())
	err := h.at(ctx, func(r daemon.Ref) error {
		if r.IsEmpty() {
			return nil
		}
		gone = nil
		for _, at := range p.made {
			empty, err := isEmpty(ctx, r, at)
			if err != nil {
				return err
			}
			if !empty {
				continue
			}
			gone = append(gone, at)
			if err := keepParents(ctx, r, path.Dir(at), parents); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil || len(gone) == 0 {
		return h, err
	}
	s := h.state.File(removal(gone), llb.WithCustomName("inlay: remove mount points"))
	up, err := parents.Tree(ctx)
	if err != nil {
		return nil, err
	}
	if up.Len() > 0 {
		over, err := h.remote.serve(ctx, up)
		if err != nil {
			return nil, err
		}
		s = llb.Merge([]llb.State{s, over}, llb.WithCustomName("inlay: merge"))
	}
	return h.remote.hold(ctx, s, h.attr)
}

// isEmpty tells whether nothing but directories and empty files is at and below a
// path, and whether there is something.
func isEmpty(ctx context.Context, r daemon.Ref, at string) (bool, error) {
	list, err := r.Reference().ReadDir(ctx, gateway.ReadDirRequest{Path: path.Dir(at)})
	if err != nil {
		return false, err
	}
	for _, s := range list {
		if s.Path == path.Base(at) {
			return holdsNothing(ctx, r, at, s)
		}
	}
	return false, nil
}

func holdsNothing(ctx context.Context, r daemon.Ref, at string, s *fstypes.Stat) (bool, error) {
	switch os.FileMode(s.Mode) & os.ModeType {
	case 0:
		return s.Size == 0, nil
	case os.ModeDir:
	default:
		return false, nil
	}
	list, err := r.Reference().ReadDir(ctx, gateway.ReadDirRequest{Path: at})
	for _, s := range list {
		if empty, err := holdsNothing(ctx, r, path.Join(at, s.Path), s); err != nil || !empty {
			return false, err
		}
	}
	return true, err
}

// keepParents adds the directories that lead to a path with their attributes.
func keepParents(ctx context.Context, r daemon.Ref, p string, d *tree.Draft) error {
	at := "/"
	for name := range strings.SplitSeq(strings.Trim(p, "/"), "/") {
		if name == "" {
			return nil
		}
		at = path.Join(at, name)
		sub, ok, err := d.Dir(ctx, name)
		if err != nil {
			return err
		}
		if !ok {
			s, err := r.Reference().StatFile(ctx, gateway.StatRequest{Path: at})
			if err != nil {
				return err
			}
			sub = d.MakeDir(name, attrOf(s))
		}
		d = sub
	}
	return nil
}
