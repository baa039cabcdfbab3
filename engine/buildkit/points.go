package buildkit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/moby/buildkit/client/llb"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/internal/shim"
	"github.com/inlaybuild/inlay/tree"
)

// points is what is made in a tree so that something can be mounted there. The
// daemon takes what is empty away again: a new one the directories that lead there, too,
// an old one only the last name, and none what runc itself mounts at. The directories
// that all of it is in are changed by that.
type points struct {
	times map[string]tree.Time // of directories that are there, in which points are made
	made  []string             // names that are not there, parents before what is in them
	taken []string             // places that are covered by a mount
}

// usual is where something is mounted in every container, in order.
var usual = []string{"/proc", "/dev", "/sys", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf"}

// mountPoints finds the mount points that are made for a process. An error is that
// of a process that cannot be started, as this machine would give it.
func mountPoints(ctx context.Context, x engine.RemoteProcess) (*points, error) {
	if e, err := look(ctx, x.Root.Tree, ours); err != nil {
		return nil, err
	} else if e != nil {
		return nil, fmt.Errorf("the tree has %s, where a process at a BuildKit daemon finds what runs it: give that another name first", ours)
	}
	p := &points{times: map[string]tree.Time{}}
	all := usual
	for _, m := range x.Mounts {
		if m.Target == ours || strings.HasPrefix(m.Target, ours+"/") {
			return nil, fmt.Errorf("mount at %s: a process at a BuildKit daemon finds there what runs it: mount it elsewhere", m.Mount.Target)
		}
		all = append(all[:len(all):len(all)], m.Target)
	}
	for _, at := range append(all[:len(all):len(all)], ours) {
		if err := p.add(ctx, x.Root.Tree, at); err != nil {
			return nil, fmt.Errorf("mount point %s: %w", at, err)
		}
	}
	return p, nil
}

// add adds a mount point.
func (p *points) add(ctx context.Context, t tree.Tree, at string) error {
	place, err := p.resolve(ctx, t, at)
	if err != nil || p.covered(place) {
		return err
	}
	p.taken = append(p.taken, place)
	for above := "/"; above != place; {
		rest := strings.TrimPrefix(strings.TrimPrefix(place, above), "/")
		name, _, _ := strings.Cut(rest, "/")
		next := path.Join(above, name)
		e, err := look(ctx, t, next)
		if err != nil {
			return err
		}
		if e == nil && !slices.Contains(p.made, next) {
			p.made = append(p.made, next)
			if dir, err := look(ctx, t, above); err != nil {
				return err
			} else if dir != nil && above != "/" {
				p.times[above] = dir.Attr().ModTime
			}
		}
		above = next
	}
	return nil
}

// covered tells whether a place is one that something is mounted at, or below.
func (p *points) covered(place string) bool {
	return slices.ContainsFunc(p.taken, func(mount string) bool {
		return place == mount || strings.HasPrefix(place, mount+"/")
	})
}

// resolve gives the place that a path leads to, without symlinks, as mounts are made
// (package runtime, stubs.go): what does not exist is taken as it is, but nothing is above
// it, nor above a file.
func (p *points) resolve(ctx context.Context, t tree.Tree, name string) (string, error) {
	todo := strings.Split(name, "/")
	at := "/"
	for links := 0; len(todo) > 0; {
		part := todo[0]
		todo = todo[1:]
		if part == ".." && !p.covered(at) && !slices.Contains(p.made, at) {
			switch e, err := look(ctx, t, at); {
			case e == nil:
				return "", cmp.Or(err, error(syscall.ENOENT))
			case e.Kind() != tree.KindDirectory:
				return "", syscall.ENOTDIR
			}
		}
		next := path.Join(at, part) // ".." of the root is the root
		if part == "" || part == "." || part == ".." || p.covered(next) {
			at = next
			continue
		}
		e, err := look(ctx, t, next)
		if err != nil {
			return "", err
		}
		link, ok := e.(tree.Symlink)
		if !ok {
			at = next
			continue
		}
		if links++; links > tree.MaxLinks {
			return "", syscall.ELOOP
		}
		if strings.HasPrefix(link.Target, "/") {
			at = "/"
		}
		todo = append(strings.Split(link.Target, "/"), todo...)
	}
	return at, nil
}

// look gives what stands at a path without symlinks; nil if nothing does.
func look(ctx context.Context, t tree.Tree, p string) (tree.Entry, error) {
	e, err := t.Lookup(ctx, p)
	switch {
	case errors.Is(err, tree.ErrNotDirectory):
		return nil, syscall.ENOTDIR
	case tree.IsNotExist(err):
		return nil, nil
	}
	return e, err
}

// ways gives the directories that are made on the way to mount points, those above
// first.
func (p *points) ways() []string {
	return slices.DeleteFunc(slices.Clone(p.made), p.covered)
}

// tidy makes of what a process left what it is where nothing has to be made for mounts:
// what is as it was made is taken away, and what the process has changed is there, even
// if the daemon took it away. It is told what became of the directories on the way.
func (p *points) tidy(ctx context.Context, h *held, made []shim.Made) (*held, error) {
	a := h.rootAttr()
	t := h.view()
	gone, err := p.left(ctx, t, made)
	if err != nil {
		return nil, err
	}
	parents := tree.NewDraft(tree.Empty())
	for _, at := range gone {
		if _, err := keepParents(ctx, t, path.Dir(at), parents); err != nil {
			return nil, err
		}
	}
	added, err := addLost(ctx, t, made, parents)
	if err != nil {
		return nil, err
	}
	if len(gone) == 0 && !added {
		return h, nil
	}
	s := base{state: h.state, held: h}.ofOneRun(gone)
	up, err := parents.Tree(ctx)
	if err != nil {
		return nil, err
	}
	if up.Len() > 0 {
		over, _, err := h.remote.serve(ctx, up)
		if err != nil {
			return nil, err
		}
		s = llb.Merge([]llb.State{s, over}, llb.WithCustomName("inlay: merge"))
	}
	return h.remote.hold(ctx, s, a)
}

// addLost adds directories on the way to mount points that a process has changed, with
// those above them, where the daemon took them away for being empty.
func addLost(ctx context.Context, t tree.Tree, made []shim.Made, over *tree.Draft) (added bool, err error) {
	attrs := map[string]tree.Attr{}
	for _, m := range made {
		attrs[m.Path] = m.Attr
	}
	for _, m := range made {
		if e, err := look(ctx, t, m.Path); err != nil || e != nil || !m.Changed {
			if err != nil && !errors.Is(err, syscall.ENOTDIR) {
				return false, err
			}
			continue
		}
		added = true
		var lost []string
		above := m.Path
		for ; ; above = path.Dir(above) {
			e, err := look(ctx, t, above)
			if err != nil {
				return false, err
			}
			if e != nil {
				break
			}
			lost = append(lost, above)
		}
		d, err := keepParents(ctx, t, above, over)
		for _, at := range slices.Backward(lost) {
			if err != nil {
				return false, err
			}
			d, err = enter(ctx, d, path.Base(at), attrs[at])
		}
		if err != nil {
			return false, err
		}
	}
	return added, nil
}

// left gives the mount points that are still there as they were made, but for those
// in others.
func (p *points) left(ctx context.Context, t tree.Tree, made []shim.Made) ([]string, error) {
	same := map[string]bool{} // of directories on the way
	for _, m := range made {
		same[m.Path] = !m.Changed
	}
	gone := map[string]bool{}
	for _, at := range slices.Backward(p.made) { // from below
		e, err := look(ctx, t, at)
		if errors.Is(err, syscall.ENOTDIR) {
			continue
		}
		if err != nil {
			return nil, err
		}
		asMade := same[at]
		inherited, err := inheritedIn(ctx, t, path.Dir(at))
		if err != nil {
			return nil, err
		}
		if e != nil && p.covered(at) {
			asMade = e.Attr().UID == 0 && (e.Attr().GID == 0 || e.Attr().GID == inherited.GID) // as snapshots are made
		}
		switch e := e.(type) {
		case tree.File:
			gone[at] = asMade && e.Size == 0
		case tree.Tree:
			only := asMade && (same[at] || e.Attr().Mode&^inherited.Mode == 0o755)
			for c, err := range e.All(ctx) {
				if err != nil {
					return nil, err
				}
				only = only && gone[path.Join(at, c.Name)]
			}
			gone[at] = only
		}
	}
	var out []string
	for _, at := range p.made {
		if gone[at] && !gone[path.Dir(at)] {
			out = append(out, at)
		}
	}
	return out, nil
}

// inheritedIn gives what a directory that root makes in another one has of that: the group and
// the bit that hands it on, if there is one.
func inheritedIn(ctx context.Context, t tree.Tree, p string) (a tree.Attr, err error) {
	e, err := look(ctx, t, p)
	if d, ok := e.(tree.Tree); ok && d.Attr().Mode&0o2000 != 0 {
		a = tree.Attr{GID: d.Attr().GID, Mode: 0o2000}
	}
	return a, err
}

// keepParents adds the directories that lead to a path, and the one that is there, with
// their attributes. It gives the last.
func keepParents(ctx context.Context, t tree.Tree, p string, d *tree.Draft) (*tree.Draft, error) {
	at := "/"
	for name := range strings.SplitSeq(strings.Trim(p, "/"), "/") {
		if name == "" {
			return d, nil
		}
		at = path.Join(at, name)
		e, err := t.Lookup(ctx, at)
		if err != nil {
			return nil, err
		}
		if d, err = enter(ctx, d, name, e.Attr()); err != nil {
			return nil, err
		}
	}
	return d, nil
}

// enter gives a directory of another one, made with attributes if it is not there.
func enter(ctx context.Context, d *tree.Draft, name string, a tree.Attr) (*tree.Draft, error) {
	sub, ok, err := d.Dir(ctx, name)
	if err == nil && !ok {
		sub = d.MakeDir(name, a)
	}
	return sub, err
}
