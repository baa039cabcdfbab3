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
	"github.com/inlaybuild/inlay/graph"
)

// secretDir is a directory in memory for the secrets of one exec. A kernel lock
// on it says that its owner lives.
type secretDir struct {
	path string
	lock *os.File
}

// secret puts a secret into a file that is in memory alone.
func (m *mounts) secret(ctx context.Context, g graph.Mount) (string, error) {
	value, err := m.exec.engine().options.Secret(ctx, g.Name)
	if err != nil {
		return "", &SecretError{g.Name, err}
	}
	m.secrets = append(m.secrets, value)
	if m.dir == nil {
		if m.dir, err = newSecretDir(); err != nil {
			return "", err
		}
	}
	mode := os.FileMode(0o400)
	if g.Mode != 0 {
		mode = os.FileMode(g.Mode & 0o777)
	}
	p := filepath.Join(m.dir.path, strconv.Itoa(len(m.secrets)))
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

// secretPrefix starts the names of directories of secrets.
const secretPrefix = "inlay-secrets-"

// tmpfsMagic is what statfs(2) says of file systems in memory.
const tmpfsMagic = 0x01021994

// secretParents gives the directories of this machine that are in memory.
func secretParents() []string {
	var out []string
	for _, p := range []string{"/dev/shm", "/run"} {
		var st syscall.Statfs_t
		if syscall.Statfs(p, &st) == nil && int64(st.Type) == tmpfsMagic {
			out = append(out, p)
		}
	}
	return out
}

// newSecretDir makes a directory in memory, locked.
func newSecretDir() (*secretDir, error) {
	var errs []error
	for _, parent := range secretParents() {
		for range 10 {
			path, err := os.MkdirTemp(parent, secretPrefix)
			if err != nil {
				errs = append(errs, err)
				break
			}
			if d := lockSecretDir(path); d != nil {
				return d, nil
			}
			// A sweep took it for abandoned, in between.
		}
	}
	return nil, fmt.Errorf("no directory in memory for a secret, neither in /dev/shm nor in /run, and it must not reach the disk: %w",
		errors.Join(errs...))
}

// lockSecretDir locks a directory, without waiting; nil when somebody else has
// it, or it is gone.
func lockSecretDir(path string) *secretDir {
	f, err := os.OpenFile(path, syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil
	}
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil {
		held, err := f.Stat()
		named, err2 := os.Lstat(path)
		if err == nil && err2 == nil && os.SameFile(held, named) {
			return &secretDir{path, f}
		}
	}
	f.Close()
	return nil
}

func (d *secretDir) remove() error {
	if d == nil {
		return nil
	}
	return errors.Join(os.RemoveAll(d.path), d.lock.Close())
}

// sweepSecrets removes the secrets of processes that were killed.
func sweepSecrets() {
	for _, parent := range secretParents() {
		list, err := os.ReadDir(parent)
		if err != nil {
			continue
		}
		for _, e := range list {
			if !strings.HasPrefix(e.Name(), secretPrefix) {
				continue
			}
			if d := lockSecretDir(filepath.Join(parent, e.Name())); d != nil {
				// It is another user's if this fails; then it is theirs to remove.
				_ = d.remove()
			}
		}
	}
}
