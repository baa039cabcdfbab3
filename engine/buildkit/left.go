package buildkit

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/daemon"
	"github.com/inlaybuild/inlay/internal/shim"
	"github.com/inlaybuild/inlay/tree"
)

// Left gives the tree as the process left it.
func (v *visit) Left(ctx context.Context, before tree.Tree, contents bool) (tree.Tree, error) {
	looked, err := v.look(ctx)
	if err != nil {
		return tree.Tree{}, fmt.Errorf("read the tree at the daemon: %w", err)
	}
	t, err := looked.Tree(ctx)
	if err == nil && t.Attr() == v.root {
		t = t.With(before.Attr()) // nobody has changed what it was given
	}
	if err == nil {
		t, err = clocksAside(ctx, v.clock, before, t)
	}
	if err == nil {
		t, err = uncovered(ctx, t, before, looked.Mounts)
	}
	if err == nil && contents {
		err = v.bring(ctx, before, t)
	}
	return t, err
}

// look reads the tree in the container.
func (v *visit) look(ctx context.Context) (looked *shim.Looked, err error) {
	err = v.read(ctx, []string{"look", "/"}, nil, func(r io.Reader) error {
		looked, err = shim.ReadLooked(r)
		return err
	})
	return looked, err
}

// read runs the shim in the container and reads what it writes.
func (v *visit) read(ctx context.Context, args []string, stdin io.Reader, f func(io.Reader) error) error {
	out, in := io.Pipe()
	read := make(chan error, 1)
	go func() {
		err := f(out)
		_, _ = io.Copy(io.Discard, out)
		read <- err
	}()
	err := v.container.Run(ctx, daemon.Process{Args: append([]string{program}, args...), Stdin: stdin, Stdout: in})
	in.CloseWithError(err)
	if readErr := <-read; err == nil {
		err = readErr
	}
	return err
}

// uncovered gives a tree with what it has where something was mounted: what it had
// before. Places that were made to mount something there are taken away.
func uncovered(ctx context.Context, t, before tree.Tree, mounts []string) (tree.Tree, error) {
	d := tree.NewDraft(t)
	for _, p := range mounts {
		was, err := before.Lookup(ctx, p)
		if err != nil && !tree.IsNotExist(err) {
			return t, err
		}
		if err := uncover(ctx, d, p, was, before); err != nil {
			return t, fmt.Errorf("what was mounted at %s: %w", p, err)
		}
	}
	return d.Tree(ctx)
}

// uncover puts what was at a path; if that is nothing, directories on the way that were
// made for it go, too.
func uncover(ctx context.Context, d *tree.Draft, p string, was tree.Entry, before tree.Tree) error {
	dirs, names := []*tree.Draft{d}, strings.Split(strings.Trim(p, "/"), "/")
	for _, name := range names[:len(names)-1] {
		sub, ok, err := dirs[len(dirs)-1].Dir(ctx, name)
		if err != nil || !ok {
			return err
		}
		dirs = append(dirs, sub)
	}
	last := len(names) - 1
	if was != nil {
		dirs[last].Put(names[last], was)
		return nil
	}
	dirs[last].Remove(names[last])
	for i := last - 1; i >= 0; i-- {
		at := path.Join("/", path.Join(names[:i+1]...))
		if _, err := before.Lookup(ctx, at); !tree.IsNotExist(err) {
			return err
		}
		n, err := dirs[i+1].Count(ctx)
		if err != nil || n > 0 {
			return err
		}
		dirs[i].Remove(names[i])
	}
	return nil
}

// bring brings contents here that are new.
func (v *visit) bring(ctx context.Context, before, after tree.Tree) error {
	paths, err := v.fresh(ctx, before, after)
	if err != nil || len(paths) == 0 {
		return err
	}
	missing, err := v.remote.local.Missing(ctx, slices.Collect(maps.Keys(paths)))
	if err != nil || len(missing) == 0 {
		return err
	}
	var names []string
	for _, d := range missing {
		names = append(names, paths[d])
	}
	var list bytes.Buffer
	if err := shim.WritePaths(&list, names); err != nil {
		return err
	}
	err = v.read(ctx, []string{"give", "/"}, &list, func(r io.Reader) error { return v.remote.local.KeepTar(ctx, r) })
	if err != nil {
		return fmt.Errorf("what the session wrote: %w", err)
	}
	if missing, err = v.remote.local.Missing(ctx, missing); err == nil && len(missing) > 0 {
		err = fmt.Errorf("what the session wrote to %s: the daemon gave something else", paths[missing[0]])
	}
	return err
}

// fresh gives the contents that a daemon is not known to hold and where each is.
func (v *visit) fresh(ctx context.Context, before, after tree.Tree) (map[digest.Digest]string, error) {
	c, err := compose.Diff(ctx, before, after)
	if err != nil || c.Root == nil {
		return nil, err
	}
	out := map[digest.Digest]string{}
	add := func(p string, e tree.Entry) {
		f, ok := e.(tree.File)
		if !ok || f.Size == 0 {
			return
		}
		if _, ok := v.remote.places.find(f.Content); !ok {
			out[f.Content] = p
		}
	}
	return out, eachPut(ctx, "/", c.Root, add)
}

// eachPut gives all entries that a change of a directory puts, and those below them.
func eachPut(ctx context.Context, at string, c *tree.DirChange, f func(p string, e tree.Entry)) error {
	for name, ch := range c.All() {
		p := path.Join(at, name)
		switch ch := ch.(type) {
		case *tree.DirChange:
			if err := eachPut(ctx, p, ch, f); err != nil {
				return err
			}
		case tree.Put:
			t, ok := ch.Entry.(tree.Tree)
			if !ok {
				f(p, ch.Entry)
				continue
			}
			for it, err := range tree.Walk(ctx, t, tree.WalkOptions{}) {
				if err != nil {
					return err
				}
				f(path.Join(p, it.Path), it.Entry)
			}
		}
	}
	return nil
}
