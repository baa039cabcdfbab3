package program

import (
	"errors"
	"slices"
	"strings"
	"syscall"

	"github.com/inlaybuild/inlay/tree"
)

// mounted is a mount at its place.
type mounted struct {
	Mount
	at string // free of symlinks
}

// shown gives what stands at the place: what cannot be seen is taken for a
// directory that must not be looked into.
func (m *mounted) shown() tree.Entry {
	if m.Entry == nil {
		return tree.Empty()
	}
	return m.Entry
}

// words says what is mounted.
func (m *mounted) words() string {
	if m.What == "" {
		return "something"
	}
	return m.What
}

// mount finds the places of the mounts, and makes those that are missing.
func (w *walker) mount() error {
	w.mounts, w.made = map[string]*mounted{}, map[string]bool{}
	root := &walker{ctx: w.ctx, view: w.view, mounts: w.mounts, made: w.made}
	for _, m := range w.view.Mounts {
		at, bad, err := root.makeParents(m.Target)
		if errors.Is(err, errUnknown) || bad != nil {
			continue // a mount in a mount, of which nothing can be said
		}
		if err != nil {
			return err
		}
		w.mounts[at] = &mounted{Mount: m, at: at}
	}
	return nil
}

// makeParents gives the place of a path, and makes the directories that lead
// there, as the runtime does.
func (w *walker) makeParents(path string) (string, *fault, error) {
	at, bad, err := w.resolve(w.root(), path)
	if err != nil {
		return "", nil, err
	}
	if bad == nil {
		return at.path, nil, nil
	}
	if bad.errno != syscall.ENOENT {
		return "", bad, nil
	}
	place := bad.at
	for name := range strings.SplitSeq(bad.left, "/") {
		if name == "" || name == "." {
			continue
		}
		if name == ".." {
			return "", nil, errUnknown
		}
		w.made[place] = true
		place = join(place, name)
	}
	return place, nil, nil
}

// makeDirectory gives the working directory, which is created when it does not
// exist; the place is nil if it cannot be known.
func (w *walker) makeDirectory(path string) (*place, *fault, error) {
	root := &walker{ctx: w.ctx, view: w.view, mounts: w.mounts, made: w.made}
	at, bad, err := root.makeParents(path)
	switch {
	case errors.Is(err, errUnknown):
		return nil, nil, nil
	case err != nil || bad != nil:
		return nil, bad, err
	}
	hops := root.hops
	dangling := len(hops) > 0 && !w.made[at]
	found, bad, err := root.resolve(root.root(), at)
	switch {
	case err != nil:
		return nil, nil, err
	case bad != nil && dangling: // mkdir(2) does not follow a last symlink
		return nil, &fault{errno: bad.errno, at: at, hops: hops}, nil
	case bad != nil:
		w.made[at] = true
		found, bad, err = root.resolve(root.root(), at)
		return found, bad, err
	case found.entry.Kind() != tree.KindDirectory:
		return nil, &fault{errno: syscall.ENOTDIR, at: at, entry: found.entry}, nil
	}
	return found, nil, nil
}

// hidden tells whether a mount hides what would have started: w is what explains
// the failure as things are.
func (c *explainer) hidden(w *Why) (*Why, error) {
	if len(c.view.Mounts) == 0 {
		return nil, nil
	}
	p := c.process
	p.Dir = "/"
	if c.cwd != nil {
		p.Dir = c.process.Dir
	}
	bare, err := newCase(c.ctx, View{Root: c.view.Root, Contents: c.view.Contents}, p)
	if err != nil || bare.cwd == nil {
		return nil, err
	}
	s := subject{role: Program, path: c.process.Name}
	if w != nil && w.Cause != NotInPath {
		s = subject{role: w.Role, path: w.Path, of: w.Of}
	}
	if !strings.Contains(s.path, "/") {
		found, nothing, err := bare.search(s.path)
		if err != nil || nothing != nil {
			return nil, err
		}
		s.path = found
	}
	_, bad, err := bare.resolve(bare.cwd, s.path)
	if err != nil || bad != nil {
		return nil, err
	}
	for _, step := range slices.Backward(bare.trail) {
		m := c.mounts[step.Path]
		if m == nil {
			continue
		}
		err := c.said
		if w != nil {
			err = w.Err
		}
		return c.sayHidden(s, m, bare.trail[len(bare.trail)-1].Path, err), nil
	}
	return nil, nil
}
