package buildkit

import (
	"context"
	"fmt"
	"path"

	"github.com/moby/buildkit/client/llb"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/internal/daemon"
	"github.com/inlaybuild/inlay/internal/shim"
	"github.com/inlaybuild/inlay/tree"
)

// Whole gives a tree that is held with all its digests: a process at the daemon
// reads it, and what comes here is directories.
func (r *Remote) Whole(ctx context.Context, of *engine.Held) (tree.Tree, error) {
	return of.By.(*held).whole(ctx)
}

func (h *held) whole(ctx context.Context) (tree.Tree, error) {
	h.once.Lock()
	defer h.once.Unlock()
	if h.once.done {
		return h.once.whole, nil
	}
	t, err := h.remote.survey(ctx, h.state)
	if err != nil {
		return tree.Tree{}, err
	}
	a, err := h.root(ctx, t)
	if err != nil {
		return tree.Tree{}, err
	}
	t = t.With(a)
	if err := h.index(ctx, "/", t); err != nil {
		return tree.Tree{}, err
	}
	h.once.whole, h.once.done = t, true
	return t, nil
}

// survey reads a tree at the daemon.
func (r *Remote) survey(ctx context.Context, s llb.State) (tree.Tree, error) {
	program, err := r.shim(ctx)
	if err != nil {
		return tree.Tree{}, err
	}
	run := program.Run(
		llb.Args([]string{"/" + shim.Program, "survey", "/in", "/out"}), llb.Dir("/"),
		llb.AddMount("/in", s, llb.Readonly), llb.ReadonlyRootFS(),
		llb.WithCustomName("inlay: read the tree"),
	)
	out, err := r.hold(ctx, run.AddMount("/out", llb.Scratch()), tree.Attr{})
	if err != nil {
		return tree.Tree{}, err
	}
	pack, err := shim.OpenPack(ctx, ranges{out})
	if err == nil && pack.Size() <= atOnce {
		err = pack.Load(ctx)
	}
	var t tree.Tree
	if err == nil {
		t, err = pack.Tree(ctx)
	}
	if err != nil {
		return tree.Tree{}, fmt.Errorf("read the tree at the daemon: %w", err)
	}
	return t, nil
}

// atOnce is up to which size the directories of a tree are brought here at once.
const atOnce = 32 << 20

// ranges reads what a survey left.
type ranges struct{ of *held }

// ReadRange reads a part of a file.
func (r ranges) ReadRange(ctx context.Context, file string, offset, n int64) (b []byte, err error) {
	err = r.of.at(ctx, func(ref daemon.Ref) error {
		b, err = ref.ReadRange(ctx, file, offset, n)
		return err
	})
	return b, err
}

// usual is the mode of the root of every snapshot that nobody changed.
const usual tree.Mode = 0o755

// root gives the attributes of the root. Snapshots keep only the mode and the owner
// that a process gave it: the time is that of the snapshot, unless names came or
// went.
func (h *held) root(ctx context.Context, read tree.Tree) (tree.Attr, error) {
	a, at := h.attr, read.Attr()
	if at.Mode != usual || at.UID != 0 || at.GID != 0 {
		a.Mode, a.UID, a.GID = at.Mode, at.UID, at.GID
	}
	if h.before == nil {
		return a, nil
	}
	same, err := sameNames(ctx, *h.before, read)
	if !same {
		a.ModTime = at.ModTime
	}
	return a, err
}

// sameNames tells whether two directories have the same names.
func sameNames(ctx context.Context, a, b tree.Tree) (bool, error) {
	names := map[string]bool{}
	for c, err := range a.All(ctx) {
		if err != nil {
			return false, err
		}
		names[c.Name] = true
	}
	n := 0
	for c, err := range b.All(ctx) {
		if err != nil {
			return false, err
		}
		if !names[c.Name] {
			return false, nil
		}
		n++
	}
	return n == len(names), nil
}

// keyOf gives what directories have in common that hold the same.
func keyOf(t tree.Tree) digest.Digest {
	return t.With(tree.Attr{}).Digest()
}

// index remembers where all that is held is.
func (h *held) index(ctx context.Context, p string, t tree.Tree) error {
	h.remote.places.add(keyOf(t), place{held: h, path: p, attr: t.Attr()})
	for c, err := range t.All(ctx) {
		if err != nil {
			return err
		}
		at := path.Join(p, c.Name)
		switch e := c.Entry.(type) {
		case tree.Tree:
			if err := h.index(ctx, at, e); err != nil {
				return err
			}
		case tree.File:
			if e.Size > 0 {
				h.remote.places.add(e.Content, place{held: h, path: at, attr: e.Attributes, file: true, size: e.Size})
			}
		}
	}
	return nil
}
