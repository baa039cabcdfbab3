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
	t, _, err := h.read(ctx)
	return t, err
}

// raw gives the tree with times as the daemon has them.
func (h *held) raw(ctx context.Context) (tree.Tree, error) {
	_, t, err := h.read(ctx)
	return t, err
}

// isRead tells whether the tree has been read already.
func (h *held) isRead() bool {
	h.once.Lock()
	defer h.once.Unlock()
	return h.once.done
}

func (h *held) read(ctx context.Context) (whole, raw tree.Tree, err error) {
	h.once.Lock()
	defer h.once.Unlock()
	if h.once.done {
		return h.once.whole, h.once.raw, nil
	}
	if raw, err = h.remote.survey(ctx, h.state, h.attempt(), h); err != nil {
		return whole, raw, err
	}
	raw = raw.With(h.rootAttr()) // no snapshot has what its image says of the root
	whole = raw
	if clock := h.clocked(); len(clock.spans) > 0 {
		whole, err = settled(ctx, raw, func(p string, e tree.Entry) tree.Time { return clock.time(ctx, h.remote, p, e) })
		if err != nil {
			return whole, raw, err
		}
	}
	if err := h.index(ctx, "/", whole); err != nil {
		return whole, raw, err
	}
	h.once.whole, h.once.raw, h.once.done = whole, raw, true
	return whole, raw, nil
}

// survey reads a tree at the daemon, of which id says what was made, and from of what.
func (r *Remote) survey(ctx context.Context, s llb.State, id digest.Digest, from ...*held) (tree.Tree, error) {
	program, err := r.shim(ctx)
	if err != nil {
		return tree.Tree{}, err
	}
	in, err := r.readable(ctx, s)
	if err != nil {
		return tree.Tree{}, err
	}
	run := program.Run(
		llb.Args([]string{"/" + shim.Program, "survey", "/in", "/out"}), llb.Dir("/"),
		in, llb.ReadonlyRootFS(), only(id),
		llb.WithCustomName("inlay: read the tree"),
	)
	out, err := r.hold(ctx, run.AddMount("/out", llb.Scratch()), tree.Attr{})
	if err != nil {
		return tree.Tree{}, err
	}
	out.mu.Lock()
	out.from = from
	out.mu.Unlock()
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

// attempt names what is held as far as it is known: not only what makes it, as that may
// have made something else before. A daemon that has dropped what a process left, and
// runs it again, may still have what was read of the former.
func (h *held) attempt() digest.Digest {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case !h.identity.IsZero():
		return h.identity
	case !h.expected.IsZero():
		return digest.Of(h.expected.Append(h.id.Append([]byte("inlay expected 1\n"))))
	}
	return h.id
}

// source names what is held for what is made of it: the same for all clients, whether a
// cache has brought it or not.
func (h *held) source() digest.Digest {
	if run := h.run(); run != "" {
		return digest.Of(h.id.Append([]byte("inlay run 1\n" + run + "\n")))
	}
	return h.attempt()
}

// only has a process run anew for each id, whatever a daemon takes for equal: it does
// not look at times.
func only(id digest.Digest) llb.RunOption { return llb.AddEnv("INLAY_TREE", id.String()) }

// readable mounts a tree for a program of ours to read, without that the daemon reads all
// of it first: what the program has read of it is found by [only], not by contents.
func (r *Remote) readable(ctx context.Context, s llb.State) (llb.RunOption, error) {
	with := []llb.MountOption{llb.Readonly}
	err := r.on(ctx, func(d *daemon.Daemon) error {
		if d.CanMountUnread() {
			with = append(with, llb.ContentCache(llb.MountContentCacheOff))
		}
		return nil
	})
	return llb.AddMount("/in", s, with...), err
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

// keyOf gives what directories have in common that hold the same.
func keyOf(t tree.Tree) digest.Digest {
	return t.With(tree.Attr{}).Digest()
}

// index remembers where all that is held is.
func (h *held) index(ctx context.Context, p string, t tree.Tree) error {
	h.remote.places.add(keyOf(t), place{held: h, path: p, attr: t.Attr(), known: true})
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
				h.remote.places.add(e.Content, place{held: h, path: at, attr: e.Attributes, file: true, size: e.Size, known: true})
			}
		}
	}
	return nil
}
