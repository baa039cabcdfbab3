package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/checkout"
	"github.com/inlaybuild/inlay/internal/runtime"
	"github.com/inlaybuild/inlay/tree"
)

// mounts is what is prepared for one exec, and taken away after it.
type mounts struct {
	exec    *exec
	roots   *checkout.Roots
	open    []*checkout.Root
	dir     *secretDir // nil without secrets
	secrets [][]byte
}

func (m *mounts) add(r *checkout.Root) { m.open = append(m.open, r) }

// close takes everything away, the last first.
func (m *mounts) close() error {
	var err error
	for i := len(m.open) - 1; i >= 0; i-- {
		err = errors.Join(err, m.open[i].Close())
	}
	return errors.Join(err, m.dir.remove())
}

// all gives the mounts of the process.
func (m *mounts) all(ctx context.Context) ([]runtime.Mount, error) {
	var out []runtime.Mount
	for _, g := range m.exec.op.Mounts {
		r := runtime.Mount{Target: g.Target}
		var err error
		switch g.Kind {
		case graph.MountTree:
			r.Source, err = m.tree(ctx, g)
		case graph.MountCache:
			r.Source, err = m.cache(g)
		case graph.MountTemp:
			r.Size = g.Size
		case graph.MountSecret:
			r.ReadOnly = true
			r.Source, err = m.secret(ctx, g)
		default:
			err = fmt.Errorf("this engine does not know mounts of the kind %q", g.Kind)
		}
		if err != nil {
			return nil, fmt.Errorf("mount at %s: %w", g.Target, err)
		}
		out = append(out, r)
	}
	return out, nil
}

// tree mounts a tree of its own, whose changes are thrown away.
func (m *mounts) tree(ctx context.Context, g graph.Mount) (string, error) {
	if g.Input < 1 || g.Input >= len(m.exec.in) {
		return "", fmt.Errorf("input %d of the exec does not exist", g.Input)
	}
	t := m.exec.in[g.Input].Tree
	at := "/"
	if g.Path != "" {
		r, err := tree.Resolve(ctx, t, g.Path, tree.FollowAll)
		if err != nil {
			return "", err
		}
		if r.Entry == nil {
			return "", &fs.PathError{Op: "mount", Path: g.Path, Err: fmt.Errorf("%w; the nearest directory that exists is %s", fs.ErrNotExist, r.Nearest)}
		}
		at = r.Path
	}
	root, err := m.exec.engine().mount(ctx, m.roots, t)
	if err != nil {
		return "", err
	}
	m.add(root)
	return filepath.Join(root.Path, at), nil
}

// cache gives the directory of a cache by its name.
func (m *mounts) cache(g graph.Mount) (string, error) {
	dir := m.exec.engine().cacheDir("mounts", digest.Of([]byte(g.Name)).Hex())
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	err := os.Mkdir(dir, 0o755)
	switch {
	case errors.Is(err, fs.ErrExist):
		return dir, nil
	case err != nil:
		return "", err
	}
	return dir, os.Chmod(dir, 0o755) // whatever the umask
}
