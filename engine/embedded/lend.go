package embedded

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/internal/busybox"
	"github.com/inlaybuild/inlay/internal/capture"
	"github.com/inlaybuild/inlay/internal/runtime"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/inlaybuild/inlay/tree"
)

// Lent is where the programs of a lent busybox are shown. It is not part of the
// tree, and nothing that is left has it.
const Lent = "/.inlay"

// lendable tells whether a tree leaves the place for it: nothing of it, and nothing
// that a symlink of it leads to, may be hidden.
func lendable(ctx context.Context, t tree.Tree) error {
	e, err := t.Lookup(ctx, Lent)
	switch {
	case tree.IsNotExist(err):
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("the tree has a %s at %s, where the lent shell would be: name a program of the tree instead", e.Kind(), Lent)
}

// lend shows a busybox to the process, and puts it behind all others of PATH.
func (e *Engine) lend(p *runtime.Process) error {
	dir, err := busybox.Directory(e.cacheDir("busybox"))
	if err != nil {
		return err
	}
	p.Mounts = append(p.Mounts, runtime.Mount{Target: Lent, Source: dir, ReadOnly: true})
	p.Env = lentEnv(p.Env)
	return nil
}

// lentTree gives what is lent as a tree.
func (e *Engine) lentTree(ctx context.Context) (tree.Tree, error) {
	dir, err := busybox.Directory(e.cacheDir("busybox"))
	if err != nil {
		return tree.Tree{}, err
	}
	sv, err := e.save(ctx)
	if err != nil {
		return tree.Tree{}, err
	}
	defer sv.ingest.Abort()
	t, _, err := capture.Directory(ctx, dir, bodies{e, sv.ingest}, capture.Options{})
	if err != nil {
		return tree.Tree{}, err
	}
	return t, sv.commit(ctx, store.Changes{})
}

// lentEnv puts what is lent behind all others of PATH.
func lentEnv(env []string) []string {
	env = slices.Clone(env)
	for i, v := range env {
		if strings.HasPrefix(v, "PATH=") {
			env[i] = v + ":" + Lent
			return env
		}
	}
	return append(env, "PATH="+Lent)
}
