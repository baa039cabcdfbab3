package layer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/containerd/containerd/v2/pkg/archive"
	"github.com/containerd/log"
	"github.com/inlaybuild/inlay/internal/mount"
	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/sirupsen/logrus"
	"golang.org/x/sys/unix"
)

// peer is somebody else who makes a tree of layers.
type peer struct {
	name   string
	tool   string               // the program; "" for none
	limits treetest.StackLimits // what it is not asked
	unpack func(w *workshop, s treetest.Stack) (treetest.Listing, error)
	own    []ownDifference
}

// workshop is where peers unpack: a directory that is empty for each stack, and
// a thread in a mount namespace of its own, whose working directory is free.
type workshop struct {
	t   *testing.T
	dir string
	ns  *mount.Namespace
	n   int
}

func newWorkshop(t *testing.T) *workshop {
	t.Helper()
	needRoot(t)
	ns, err := mount.NewNamespace()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ns.Close() })
	dir := t.TempDir()
	// In memory, where there is room: a journal would make it five times slower.
	if shm, err := os.MkdirTemp("/dev/shm", "inlay-layers-"); err == nil {
		t.Cleanup(func() {
			if err := os.RemoveAll(shm); err != nil {
				t.Error(err)
			}
		})
		dir = shm
	}
	return &workshop{t: t, dir: dir, ns: ns}
}

// fresh runs f with a directory of its own, and removes it.
func (w *workshop) fresh(f func(dir string) error) error {
	w.n++
	dir := filepath.Join(w.dir, fmt.Sprint(w.n))
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	err := f(dir)
	if gone := os.RemoveAll(dir); err == nil {
		err = gone
	}
	return err
}

// readOverlay gives what overlayfs shows of lower directories, the lowest first.
func (w *workshop) readOverlay(lowers []string) (l treetest.Listing, err error) {
	o := mount.Overlay{}
	for _, dir := range slices.Backward(lowers) {
		o.Lower = append(o.Lower, mount.Layer{Dir: dir})
	}
	if len(lowers) == 1 { // overlayfs wants two: one that has nothing to say
		under := filepath.Join(w.dir, "nothing")
		if err := os.MkdirAll(under, 0o755); err != nil {
			return nil, err
		}
		o.Lower = append(o.Lower, mount.Layer{Dir: under})
	}
	m, err := o.Mount()
	if err != nil {
		return nil, err
	}
	defer m.Close()
	// It is attached nowhere: that would cost some milliseconds, twice.
	err = w.ns.Do(func() error {
		if err := unix.Fchdir(m.Fd()); err != nil {
			return err
		}
		l, err = treetest.Read(".")
		return errors.Join(err, unix.Chdir("/"))
	})
	return l, err
}

// quiet gives a context in which containerd warns nobody.
func quiet(ctx context.Context) context.Context {
	l := logrus.New()
	l.SetOutput(io.Discard)
	return log.WithLogger(ctx, logrus.NewEntry(l))
}

// onDirectory unpacks as containerd does onto a plain directory.
func onDirectory(w *workshop, s treetest.Stack) (l treetest.Listing, err error) {
	err = w.fresh(func(dir string) error {
		for _, layer := range s {
			b, err := layer.Tar()
			if err != nil {
				return err
			}
			if _, err := archive.Apply(quiet(w.t.Context()), dir, bytes.NewReader(b)); err != nil {
				return err
			}
		}
		l, err = treetest.Read(dir)
		return err
	})
	return l, err
}

// onOverlay unpacks as containerd does with its overlay snapshotter: each layer
// into an upper directory, of which the parents are those before it.
func onOverlay(w *workshop, s treetest.Stack) (l treetest.Listing, err error) {
	err = w.fresh(func(dir string) error {
		var lowers []string
		for n, layer := range s {
			upper := filepath.Join(dir, fmt.Sprint(n))
			if err := os.Mkdir(upper, 0o755); err != nil {
				return err
			}
			b, err := layer.Tar()
			if err != nil {
				return err
			}
			o := []archive.ApplyOpt{archive.WithConvertWhiteout(archive.OverlayConvertWhiteout)}
			if n > 0 {
				parents := slices.Clone(lowers)
				slices.Reverse(parents)
				o = append(o, archive.WithParents(parents))
			}
			if _, err := archive.Apply(quiet(w.t.Context()), upper, bytes.NewReader(b), o...); err != nil {
				return err
			}
			lowers = append(lowers, upper)
		}
		l, err = w.readOverlay(lowers)
		return err
	})
	return l, err
}

// overlaid writes each layer as a directory of overlayfs, and mounts them.
func overlaid(w *workshop, s treetest.Stack) (l treetest.Listing, err error) {
	err = w.fresh(func(dir string) error {
		var lowers []string
		for n, layer := range s {
			below, err := s[:n].Apply()
			if err != nil {
				return err
			}
			d, err := overlayDirectory(layer, below)
			if err != nil {
				return err
			}
			if d.alone {
				lowers = nil
			}
			at := filepath.Join(dir, fmt.Sprint(n))
			if err := d.write(at); err != nil {
				return err
			}
			lowers = append(lowers, at)
		}
		l, err = w.readOverlay(lowers)
		return err
	})
	return l, err
}
