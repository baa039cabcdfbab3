package tree

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// MaxLinks is the greatest number of symlinks that one path may lead through,
// as Linux has it.
const MaxLinks = 40

// Follow says which symlinks of a path are followed.
type Follow uint8

const (
	// FollowAll follows every symlink.
	FollowAll Follow = iota
	// FollowParents follows every symlink but one that the path ends in.
	FollowParents
	// FollowNone follows no symlink: one on the way is not a directory.
	FollowNone
)

// Hop is one symlink that a path led through.
type Hop struct {
	Path   string // of the symlink, free of symlinks itself
	Target string // its target, as it stands there
}

// Resolution is where a path leads.
type Resolution struct {
	Path string // rooted, clean and free of symlinks (but for a last one that was not to be followed)

	// Entry is what stands there; nil for a path that does not exist. Then all
	// of Path but what lies below Nearest is there.
	Entry   Entry
	Nearest string // the nearest directory that exists; Path, or a parent of it

	Hops []Hop // the symlinks that were followed, in order
}

// Resolve finds where a path leads, as a process would whose root is t: an
// absolute target starts at t, ".." in a target goes to the real parent and
// stays in t. The path itself is cleaned lexically first. A path that does not
// exist is not an error: Entry is nil. The errors are [ErrLoop] with the links,
// [ErrNotDirectory] for a path through something else, and fs.ErrNotExist for a
// target that leads through a missing directory and back.
func Resolve(ctx context.Context, t Tree, p string, f Follow) (Resolution, error) {
	return resolve(ctx, t, t, p, f)
}

// Resolve finds where a path leads in the directory as it is now, as [Resolve]
// does. Where the path leads to a directory that is being edited, Entry is what
// [Draft.Get] gives for it.
func (d *Draft) Resolve(ctx context.Context, p string, f Follow) (Resolution, error) {
	return resolve(ctx, d, d.base.With(d.attr), p, f)
}

// place is a directory that a resolution goes through.
type place interface {
	// step gives the entry of a name, and the place if it is a directory.
	step(ctx context.Context, name string) (e Entry, sub place, ok bool, err error)
}

func (t Tree) step(ctx context.Context, name string) (Entry, place, bool, error) {
	e, ok, err := t.Get(ctx, name)
	sub, isDir := e.(Tree)
	if !isDir {
		return e, nil, ok, err
	}
	return e, sub, ok, err
}

func (d *Draft) step(ctx context.Context, name string) (Entry, place, bool, error) {
	e, ok, err := d.Get(ctx, name)
	if c, edited := d.names[name]; edited && c.dir != nil {
		return e, c.dir, ok, err
	}
	sub, isDir := e.(Tree)
	if !isDir {
		return e, nil, ok, err
	}
	return e, sub, ok, err
}

func resolve(ctx context.Context, root place, e Entry, p string, f Follow) (Resolution, error) {
	clean, err := CleanPath(p)
	if err != nil {
		return Resolution{}, err
	}
	r := &resolver{ctx: ctx, path: p, todo: clean, dirs: []place{root}, entries: []Entry{e}, entry: e}
	if err := r.run(f); err != nil {
		return Resolution{Hops: r.hops}, &fs.PathError{Op: "resolve", Path: p, Err: err}
	}
	out := Resolution{Path: "/" + strings.Join(r.names, "/"), Entry: r.entry, Hops: r.hops}
	out.Nearest = "/" + strings.Join(r.names[:len(r.dirs)-1], "/")
	return out, nil
}

// resolver is the state of one resolution: where it is, and what is left to go.
type resolver struct {
	ctx     context.Context // of the one call of Resolve that made it
	path    string
	todo    string   // what is left of the path and of the targets
	dirs    []place  // the directories from the root to here
	entries []Entry  // and what they are
	names   []string // their names, without the root's; then what is missing
	entry   Entry
	missing bool
	hops    []Hop
}

func (r *resolver) run(f Follow) error {
	for {
		r.todo = strings.TrimLeft(r.todo, "/")
		if r.todo == "" {
			return nil
		}
		name, rest, more := strings.Cut(r.todo, "/")
		r.todo = rest
		if err := r.step(name, more, f); err != nil {
			return err
		}
	}
}

// step goes on by one name; more says that a slash follows it.
func (r *resolver) step(name string, more bool, f Follow) error {
	if name == "." {
		return r.needDirectory()
	}
	if name == ".." {
		if err := r.needDirectory(); err != nil {
			return err
		}
		if n := len(r.names); n > 0 {
			r.dirs, r.names = r.dirs[:len(r.dirs)-1], r.names[:n-1]
		}
		r.entry = r.entries[len(r.dirs)-1]
		return nil
	}
	if !r.missing {
		if err := r.needDirectory(); err != nil {
			return err
		}
	}
	if len(name) > MaxName {
		return fmt.Errorf("%w: it has %d bytes, at most %d are possible", ErrName, len(name), MaxName)
	}
	if r.missing {
		r.names = append(r.names, name)
		return nil
	}
	e, sub, ok, err := r.dirs[len(r.dirs)-1].step(r.ctx, name)
	if err != nil {
		return err
	}
	link, isLink := e.(Symlink)
	last := strings.Trim(r.todo, "/") == ""
	if isLink && f != FollowNone && (f == FollowAll || !last) {
		return r.follow(name, link, more)
	}
	r.names = append(r.names, name)
	r.entry = e
	switch {
	case !ok:
		r.missing = true
		r.entry = nil
	case sub != nil:
		r.dirs = append(r.dirs, sub)
		r.entries = append(r.entries[:len(r.dirs)-1], e)
	case last && more:
		return r.needDirectory()
	}
	return nil
}

// follow goes on with the target of a link; more says that a slash follows the
// link, so that the target has to be a directory.
func (r *resolver) follow(name string, link Symlink, more bool) error {
	at := "/" + strings.Join(append(r.names[:len(r.names):len(r.names)], name), "/")
	r.hops = append(r.hops, Hop{Path: at, Target: link.Target})
	if len(r.hops) > MaxLinks {
		return &LoopError{Hops: r.hops}
	}
	if link.Target == "" {
		return fmt.Errorf("%s is a symlink to nothing: %w", at, fs.ErrNotExist)
	}
	if strings.HasPrefix(link.Target, "/") {
		r.dirs, r.names = r.dirs[:1], nil
		r.entry = r.entries[0]
	}
	switch {
	case strings.Trim(r.todo, "/") != "":
		r.todo = link.Target + "/" + r.todo
	case more:
		r.todo = link.Target + "/"
	default:
		r.todo = link.Target
	}
	return nil
}

// needDirectory tells whether a name can follow what stands here.
func (r *resolver) needDirectory() error {
	at := "/" + strings.Join(r.names, "/")
	if r.missing {
		return fmt.Errorf("%s is missing: %w", at, fs.ErrNotExist)
	}
	if r.entry.Kind() != KindDirectory {
		return fmt.Errorf("%s is a %s: %w", at, r.entry.Kind(), ErrNotDirectory)
	}
	return nil
}

// LoopError is [ErrLoop] with the symlinks that were followed.
type LoopError struct {
	Hops []Hop
}

// Error names the chain, up to where it repeats itself.
func (e *LoopError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (more than %d): ", ErrLoop, MaxLinks)
	seen := map[string]bool{}
	for i, h := range e.Hops {
		if i > 0 {
			b.WriteString(", ")
		}
		if seen[h.Path] {
			b.WriteString("...")
			break
		}
		seen[h.Path] = true
		fmt.Fprintf(&b, "%s -> %s", shorten(h.Path), shorten(h.Target))
	}
	return b.String()
}

// shorten keeps a message readable whatever the names in a tree are.
func shorten(p string) string {
	const most = 120
	if len(p) > most {
		return p[:most] + "..."
	}
	return p
}

// Is tells that it is [ErrLoop].
func (e *LoopError) Is(target error) bool { return target == ErrLoop }

// Lookup gives the entry at a path, following no symlink at all. The error for
// one that is not there is fs.ErrNotExist with the path.
func (t Tree) Lookup(ctx context.Context, p string) (Entry, error) {
	var e Entry = t
	for name := range splitPath(p) {
		dir, ok := e.(Tree)
		if !ok {
			return nil, pathError("lookup", p, ErrNotDirectory)
		}
		var err error
		if e, ok, err = dir.Get(ctx, name); err != nil {
			return nil, pathError("lookup", p, err)
		}
		if !ok {
			return nil, pathError("lookup", p, fs.ErrNotExist)
		}
	}
	return e, nil
}

// IsNotExist tells whether err says that a path does not exist, or leads
// through something that is not a directory.
func IsNotExist(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrNotDirectory)
}
