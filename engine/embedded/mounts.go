package embedded

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"github.com/inlaybuild/inlay/compose"
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
	dir     string // of the secrets, in memory
	secrets [][]byte
}

func (m *mounts) add(r *checkout.Root) { m.open = append(m.open, r) }

// close takes everything away, the last first.
func (m *mounts) close() error {
	var err error
	for i := len(m.open) - 1; i >= 0; i-- {
		err = errors.Join(err, m.open[i].Close())
	}
	if m.dir != "" {
		err = errors.Join(err, os.RemoveAll(m.dir))
	}
	return err
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
			_, err := compose.Subtree(ctx, t, g.Path)
			return "", err
		}
		at = r.Path
	}
	root, err := m.roots.Mount(ctx, t, checkout.MountOptions{})
	if err != nil {
		return "", err
	}
	m.add(root)
	return filepath.Join(root.Path, at), nil
}

// cache gives the directory of a cache by its name.
func (m *mounts) cache(g graph.Mount) (string, error) {
	dir := m.exec.engine().cacheDir("mounts", digest.Of([]byte(g.Name)).Hex())
	return dir, os.MkdirAll(dir, 0o755)
}

// tmpfsMagic is what statfs(2) says of file systems in memory.
const tmpfsMagic = 0x01021994

// secret puts a secret into a file that is in memory alone.
func (m *mounts) secret(ctx context.Context, g graph.Mount) (string, error) {
	value, err := m.exec.engine().options.Secret(ctx, g.Name)
	if err != nil {
		return "", err
	}
	m.secrets = append(m.secrets, value)
	if m.dir == "" {
		if m.dir, err = secretDir(); err != nil {
			return "", err
		}
	}
	mode := os.FileMode(0o400)
	if g.Mode != 0 {
		mode = os.FileMode(g.Mode & 0o777)
	}
	p := filepath.Join(m.dir, strconv.Itoa(len(m.secrets)))
	if err := os.WriteFile(p, value, 0o600); err != nil {
		return "", err
	}
	if g.Owner != "" {
		o, err := compose.LookupOwner(ctx, g.Owner, m.exec.in[0].Tree, m.exec.engine())
		if err != nil {
			return "", err
		}
		if err := os.Chown(p, int(o.UID), int(o.GID)); err != nil {
			return "", err
		}
	}
	return p, os.Chmod(p, mode)
}

const secretPrefix = "inlay-secrets-"

// secretDir makes a directory in memory, and removes those of dead processes.
func secretDir() (string, error) {
	for _, parent := range []string{"/dev/shm", "/run"} {
		var st syscall.Statfs_t
		if syscall.Statfs(parent, &st) != nil || int64(st.Type) != tmpfsMagic {
			continue
		}
		sweepSecrets(parent)
		return os.MkdirTemp(parent, secretPrefix+strconv.Itoa(os.Getpid())+"-")
	}
	return "", errors.New("neither /dev/shm nor /run is in memory, so a secret would reach the disk")
}

func sweepSecrets(parent string) {
	list, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, e := range list {
		rest, ok := strings.CutPrefix(e.Name(), secretPrefix)
		if !ok {
			continue
		}
		pid, _, _ := strings.Cut(rest, "-")
		if n, err := strconv.Atoi(pid); err == nil && syscall.Kill(n, 0) == syscall.ESRCH {
			os.RemoveAll(filepath.Join(parent, e.Name()))
		}
	}
}
