package embedded

import (
	"context"
	"path"
	"strings"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/tree"
)

// placeMounts tells where the mounts of the exec are, whether it runs or its
// result is kept. It looks at the tree as the process sees it, mount by mount,
// so that one below another is found there. What a cache holds is not known
// before the process runs: it counts as empty.
func (x *exec) placeMounts(ctx context.Context) error {
	if len(x.spec.Mounts) == 0 || x.note == nil && x.step.run.events.sink == nil {
		return nil
	}
	var all engine.Placements
	seen := tree.NewDraft(x.in[0].Tree)
	for _, m := range x.spec.Mounts {
		r, err := seen.Resolve(ctx, m.Target, tree.FollowAll)
		if err != nil {
			if ctx.Err() != nil {
				return err
			}
			continue // the process will not start, and say why
		}
		p := engine.Placement{Action: engine.Mounted, Root: true, Asked: m.Target, From: m.Name, To: r.Path, Hops: r.Hops, Mount: m.Kind}
		if m.Kind == graph.MountTree {
			p.From = path.Join("/", m.Path)
		}
		all.List = append(all.List, p)
		shown, err := x.shown(ctx, m)
		if err == nil {
			err = show(ctx, seen, r.Path, shown)
		}
		if err != nil {
			return err
		}
	}
	all.More = int64(max(0, len(all.List)-engine.MaxPlacements))
	all.List = all.List[:len(all.List)-int(all.More)]
	x.event(engine.Placed{Step: x.number, Placements: all})
	return nil
}

// shown gives what a mount shows, as far as it is known.
func (x *exec) shown(ctx context.Context, m graph.Mount) (tree.Entry, error) {
	switch {
	case m.Kind == graph.MountSecret:
		return tree.File{}, nil
	case m.Kind == graph.MountTree && m.Input > 0 && m.Input < len(x.in):
		r, err := tree.Resolve(ctx, x.in[m.Input].Tree, path.Join("/", m.Path), tree.FollowAll)
		if err == nil && r.Entry != nil {
			return r.Entry, nil
		}
	}
	return tree.Empty(), ctx.Err()
}

// show puts an entry at a path that is free of symlinks, with directories on the
// way where there is nothing.
func show(ctx context.Context, d *tree.Draft, at string, e tree.Entry) error {
	dir, name := path.Split(strings.Trim(at, "/"))
	for n := range strings.SplitSeq(strings.Trim(dir, "/"), "/") {
		if n == "" {
			continue
		}
		sub, ok, err := d.Dir(ctx, n)
		if err != nil {
			return err
		}
		if !ok {
			sub = d.MakeDir(n, tree.Empty().Attr())
		}
		d = sub
	}
	if name != "" {
		d.Put(name, e)
	}
	return nil
}
