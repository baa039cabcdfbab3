package buildkit

import (
	"context"
	"fmt"
	"slices"

	"github.com/moby/buildkit/client/llb"

	"github.com/inlaybuild/inlay/internal/daemon"
	"github.com/inlaybuild/inlay/internal/shim"
	"github.com/inlaybuild/inlay/tree"
)

// examine sees whether file operations copy the pieces as they are. They copy names
// of one inode as such within one copy, if it is a file, and make other things of
// sockets and block devices (fsutil, copyDevice). Of a piece that is known that is
// seen here; of a view a process at the daemon looks, and more is true if all of the
// tree has to be known.
func (l *lowering) examine(ctx context.Context) (more bool, err error) {
	looks := map[*held]*looking{}
	for h, list := range l.pieces {
		k := &looking{copied: len(list), single: len(list) == 1 && list[0].from.file}
		looks[h] = k
		for _, p := range list {
			switch {
			case p.view:
				k.paths = append(k.paths, p.from.path)
			case !p.from.file:
				if err := l.known(ctx, p); err != nil {
					return false, err
				}
			}
		}
		if len(list) > 1 && len(k.paths) < len(list) {
			t, err := h.whole(ctx)
			if err != nil {
				return false, err
			}
			if groups, err := t.Links(ctx); err != nil {
				return false, err
			} else if len(groups) > 0 {
				l.strange("among what is copied may be names of one file")
			}
		}
	}
	if l.addLoose(looks) > mostLoose {
		return true, nil
	}
	for h, k := range looks {
		if l.odd != "" || len(k.paths) == 0 || k.single {
			continue // one file is copied by its name
		}
		odd, err := h.look(ctx, k.paths)
		if err != nil {
			return false, err
		}
		if odd.Node != "" || odd.Linked != "" && k.copied > 1 {
			return true, nil
		}
	}
	return false, nil
}

// looking is what is to be looked at of something that is held.
type looking struct {
	paths  []string
	copied int  // how much of it is copied, about
	single bool // it is one file, and nothing else
}

// mostLoose is up to how many entries are looked at that may be what is uploaded.
const mostLoose = 1000

// addLoose adds the paths at which entries were listed that are uploaded, if more than
// one of them is: they may be names of one inode, of each other or of what is in a
// directory that is copied. It gives how many there are.
func (l *lowering) addLoose(looks map[*held]*looking) int {
	together := len(l.loose)
	for _, list := range l.pieces {
		for _, p := range list {
			if p.view && !p.from.file {
				together++
			}
		}
	}
	if together < 2 {
		return 0
	}
	n := 0
	seen := map[tree.Entry]bool{}
	for _, e := range l.loose {
		if e = e.WithAttr(tree.Attr{}); seen[e] {
			continue
		}
		seen[e] = true
		for _, at := range l.remote.listed.among(l.parts, e) {
			k := looks[at.held]
			if k == nil {
				k = &looking{}
				looks[at.held] = k
			}
			k.single = false
			k.paths = append(k.paths, at.path)
			k.copied++
			if n++; n > mostLoose {
				return n
			}
		}
	}
	return n
}

// known sees what of a directory is not copied as it is.
func (l *lowering) known(ctx context.Context, p piece) error {
	for it, err := range tree.Walk(ctx, p.dir, tree.WalkOptions{}) {
		if err != nil {
			return err
		}
		d, isDevice := it.Entry.(tree.Device)
		kind := it.Entry.Kind()
		if kind == tree.KindSocket || isDevice && d.Block || it.Link != nil && kind != tree.KindFile {
			l.strange("%s%s is a %s, which no copy makes", p.to, it.Path, kind)
		}
	}
	return nil
}

// look asks what is odd at and below paths of what is held.
func (h *held) look(ctx context.Context, paths []string) (odd shim.Odd, err error) {
	slices.Sort(paths)
	list, err := shim.EncodePaths(paths)
	if err != nil {
		return odd, err
	}
	program, err := h.remote.shim(ctx)
	if err != nil {
		return odd, err
	}
	in, err := h.remote.readable(ctx, h.state)
	if err != nil {
		return odd, err
	}
	run := program.Run(
		llb.Args([]string{"/" + shim.Program, "inspect", "/in", "/spec/paths", "/out"}), llb.Dir("/"), llb.ReadonlyRootFS(), only(h.attempt()),
		in, llb.AddMount("/spec", files(map[string][]byte{"paths": list}), llb.Readonly),
		llb.WithCustomName("inlay: look at what is copied"),
	)
	out, err := h.remote.hold(ctx, run.AddMount("/out", llb.Scratch()), tree.Attr{})
	if err != nil {
		return odd, err
	}
	err = out.at(ctx, func(ref daemon.Ref) error {
		b, err := ref.ReadFile(ctx, shim.OddFile)
		if err == nil {
			odd, err = shim.DecodeOdd(b)
		}
		return err
	})
	if err != nil {
		return odd, fmt.Errorf("look at what is copied at the daemon: %w", err)
	}
	return odd, nil
}
