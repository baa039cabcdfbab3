package program

import (
	"context"
	"strings"
	"syscall"

	"github.com/inlaybuild/inlay/tree"
)

// pathMax is the greatest length of a path, with the NUL that ends it.
const pathMax = 4096

// Step is one name on the way of a path.
type Step struct {
	Path  string     // the place, free of symlinks but for the last name
	Entry tree.Entry // a symlink itself
}

// place is something that a path leads to.
type place struct {
	path   string // free of symlinks
	entry  tree.Entry
	parent *place // nil for the root
	mount  *mounted
}

// fault is why a path leads nowhere.
type fault struct {
	errno syscall.Errno
	at    string     // the place that is in the way, or that is missing
	entry tree.Entry // what is there; nil if nothing is
	hops  []tree.Hop // the symlinks that were followed
	left  string     // what is left of the path after at
	mount *mounted   // that at is in; nil if it is in none
}

// walker finds where paths lead, as a process does.
type walker struct {
	ctx    context.Context
	view   View
	uid    uint32
	groups []uint32
	mounts map[string]*mounted // by place
	made   map[string]bool     // directories that are there though the tree has none
	trail  []Step              // of the path that was resolved last
	hops   []tree.Hop
	unseen bool // a path led into a mount of which nothing is known
}

func (w *walker) root() *place { return &place{path: "/", entry: w.view.Root} }

// resolve follows a path from a directory, and symlinks all the way.
func (w *walker) resolve(from *place, path string) (*place, *fault, error) {
	w.trail, w.hops = nil, nil
	switch {
	case path == "":
		return nil, &fault{errno: syscall.ENOENT, at: from.path}, nil
	case len(path) >= pathMax:
		return nil, &fault{errno: syscall.ENAMETOOLONG, at: from.path}, nil
	}
	at, todo := from, path
	if strings.HasPrefix(path, "/") {
		at = w.root()
	}
	directory := strings.HasSuffix(path, "/")
	for {
		todo = strings.TrimLeft(todo, "/")
		if todo == "" {
			break
		}
		name, rest, slash := strings.Cut(todo, "/")
		if strings.Trim(rest, "/") == "" {
			directory = directory || slash
		}
		next, bad, err := w.step(at, name, rest)
		if err != nil || bad != nil {
			return nil, bad, err
		}
		link, isLink := next.entry.(tree.Symlink)
		if !isLink {
			at, todo = next, rest
			continue
		}
		w.hops = append(w.hops, tree.Hop{Path: next.path, Target: link.Target})
		if len(w.hops) > tree.MaxLinks {
			return nil, &fault{errno: syscall.ELOOP, at: next.path, entry: link, hops: w.hops}, nil
		}
		if todo = link.Target; strings.Trim(rest, "/") != "" {
			todo += "/" + rest
		}
		if strings.HasPrefix(link.Target, "/") {
			at = w.root()
		}
	}
	if directory && at.entry.Kind() != tree.KindDirectory {
		return nil, w.bad(syscall.ENOTDIR, at, ""), nil
	}
	return at, nil, nil
}

func (w *walker) bad(errno syscall.Errno, at *place, left string) *fault {
	return &fault{errno: errno, at: at.path, entry: at.entry, hops: w.hops, left: left}
}

// step goes to one name in a directory; left is what the path goes on with.
func (w *walker) step(at *place, name, left string) (*place, *fault, error) {
	dir, isDir := at.entry.(tree.Tree)
	if !isDir {
		return nil, w.bad(syscall.ENOTDIR, at, name), nil
	}
	if at.mount != nil && at.mount.Entry == nil {
		w.unseen = true
		return nil, nil, errUnknown
	}
	if ok, err := w.may(dir); err != nil || !ok {
		return nil, w.bad(syscall.EACCES, at, name), err
	}
	switch {
	case name == ".":
		return at, nil, nil
	case name == ".." && at.parent == nil:
		return at, nil, nil
	case name == "..":
		return at.parent, nil, nil
	case len(name) > tree.MaxName:
		return nil, w.bad(syscall.ENAMETOOLONG, at, name), nil
	}
	path := join(at.path, name)
	e, m, err := w.get(dir, at, path, name)
	if err != nil {
		return nil, nil, err
	}
	if e == nil {
		return nil, &fault{errno: syscall.ENOENT, at: path, hops: w.hops, left: left, mount: at.mount}, nil
	}
	w.trail = append(w.trail, Step{Path: path, Entry: e})
	return &place{path: path, entry: e, parent: at, mount: m}, nil, nil
}

// get gives what a name stands for, and the mount that it is in.
func (w *walker) get(dir tree.Tree, at *place, path, name string) (tree.Entry, *mounted, error) {
	if m := w.mounts[path]; m != nil {
		return m.shown(), m, nil
	}
	e, ok, err := dir.Get(w.ctx, name)
	if err != nil {
		return nil, nil, err
	}
	if !ok && w.made[path] {
		return tree.Empty(), at.mount, nil
	}
	if !ok {
		return nil, nil, nil
	}
	return e, at.mount, nil
}

func join(dir, name string) string {
	if dir == "/" {
		return dir + name
	}
	return dir + "/" + name
}

// Trail gives what a path leads through in a tree, as root sees it, and whether it
// leads to something. The errors are those of reading the tree.
func Trail(ctx context.Context, t tree.Tree, path string) (trail []Step, ok bool, err error) {
	w := &walker{ctx: ctx, view: View{Root: t}}
	_, bad, err := w.resolve(w.root(), path)
	return w.trail, bad == nil, err
}
