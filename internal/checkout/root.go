//go:build linux

package checkout

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/erofs"
	"github.com/inlaybuild/inlay/internal/mount"
	"github.com/inlaybuild/inlay/tree"
)

// The names in the directory of a root.
const (
	rootName  = "root"
	upperName = "upper"
	workName  = "work"
)

// Root is a tree as the root of a process: a directory that shows it and that
// may be written.
type Root struct {
	// Path is the directory. With [Options].Private only threads that called
	// [Roots.Enter] see the tree there.
	Path string
	// Upper is the overlay's upper directory, where what is written is found. It
	// may be read once [Root.Unmount] succeeded. It is empty with [Plain]: then
	// Path is to be read as a whole.
	Upper string
	// Tree is what the root showed before anything was written.
	Tree tree.Tree

	roots   *Roots
	claim   *claim
	layers  []*layer
	mounted bool
}

// MountOptions says how a tree is mounted.
type MountOptions struct {
	// Near is trees that differ little from this one and that were mounted
	// before, or that many trees start from, such as a base image: what changed
	// is stacked on theirs. The first for which that is worth it is taken.
	Near []tree.Tree
}

// Mount makes t the root of a process. It costs about a millisecond when t or
// one that is near was mounted before, by this process or another one, and about
// a microsecond an entry when not. The caller closes the root.
//
// [erofs.ErrUnsupported] is the error of a tree with an entry that no mount can
// show; the [fs.PathError] around it names it.
func (r *Roots) Mount(ctx context.Context, t tree.Tree, o MountOptions) (_ *Root, err error) {
	c, err := newRun(r.o.RootsDir)
	if err != nil {
		return nil, err
	}
	root := &Root{Path: filepath.Join(c.dir, rootName), Tree: t, roots: r, claim: c}
	defer func() {
		if err != nil {
			err = errors.Join(err, root.Close())
		}
	}()
	if err := os.Mkdir(root.Path, 0o700); err != nil {
		return nil, err
	}
	if r.method == Plain {
		return root, r.writer(false).write(ctx, t, root.Path)
	}
	s, err := r.prepare(ctx, t, t.Digest(), o.Near, true)
	if err != nil {
		return nil, err
	}
	root.layers = s.layers
	root.Upper = filepath.Join(c.dir, upperName)
	work := filepath.Join(c.dir, workName)
	if err := errors.Join(os.Mkdir(root.Upper, 0o700), os.Mkdir(work, 0o700)); err != nil {
		return nil, err
	}
	// The attributes of the merged root are those of the upper directory.
	if err := (attrs{escape: true}).set(int(c.f.Fd()), upperName, t); err != nil {
		return nil, pathError("mount", "/", err)
	}
	m, err := r.overlay(root.layers, root.Upper, work)
	if err != nil {
		return nil, err
	}
	err = r.ns.Do(func() error { return m.Attach(root.Path) })
	if err := errors.Join(err, m.Close()); err != nil {
		return nil, err
	}
	root.mounted = true
	return root, nil
}

func (r *Roots) overlay(layers []*layer, upper, work string) (*mount.Mount, error) {
	o := mount.Overlay{Upper: upper, Work: work}
	for _, l := range layers {
		o.Lower = append(o.Lower, l.lower())
	}
	if r.method != Copy {
		o.Data = []mount.Layer{{Dir: r.o.BlobsDir}}
	}
	o.Options = overlayOptions
	return o.Mount()
}

// overlayOptions: a file whose attributes change is not copied; directories can
// be renamed; nothing is flushed, because what is written is flushed when it is
// captured; no feature that marks the lower directories.
var overlayOptions = []string{"metacopy=on", "redirect_dir=on", "volatile", "index=off", "nfs_export=off", "xino=off"}

// busyFor is how long Unmount waits for who has a file of a root open. A program
// that another thread of this process starts has copies of all descriptors until it
// is executed: on a loaded machine that was seen to take 85 ms.
const busyFor = 2 * time.Second

// Unmount ends the root, and leaves what was written to be captured: when it
// succeeds, nobody has a file of it open, and what is in Upper may be moved. It
// is [mount.ErrBusy] when a process uses the root and does not end soon. It costs
// about seven microseconds for every file that was looked at.
func (root *Root) Unmount() error {
	const most = 50 * time.Millisecond
	end := time.Now().Add(busyFor)
	for pause := time.Millisecond; ; pause = min(2*pause, most) {
		err := root.unmount()
		if !errors.Is(err, mount.ErrBusy) || time.Now().After(end) {
			return err
		}
		time.Sleep(pause)
	}
}

func (root *Root) unmount() error {
	if !root.mounted {
		return nil
	}
	err := root.roots.ns.Do(func() error { return mount.Unmount(root.Path) })
	if err == nil {
		root.mounted = false
	}
	return err
}

// Close ends the root and removes what was written. If a process still uses the
// root, it keeps what it has open, and finds nothing else. Removal is done
// behind; its errors come with [Roots.Close].
func (root *Root) Close() error {
	r := root.roots
	if root.claim == nil {
		return nil
	}
	var err error
	if root.mounted {
		if err = root.unmount(); err != nil {
			err = r.ns.Do(func() error { return mount.Detach(root.Path) })
		}
		if err != nil {
			return err // Sweep gets it when this process is gone
		}
		root.mounted = false
	}
	r.mu.Lock()
	r.drop(root.layers)
	r.mu.Unlock()
	c := root.claim
	root.claim, root.layers = nil, nil
	r.later(func() error { return errors.Join(removeAll(c.dir), c.release()) })
	return nil
}

func (r *Roots) openBlob(_ context.Context, d digest.Digest) (io.ReadCloser, error) {
	return os.Open(r.o.BlobsDir + erofs.BlobPath(d))
}
