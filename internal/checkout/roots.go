//go:build linux

package checkout

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/erofs"
	"github.com/inlaybuild/inlay/internal/mount"
	"github.com/inlaybuild/inlay/tree"
)

// Options says where roots are made.
type Options struct {
	// BlobsDir has the content of files: the blob whose digest is abcdef... is
	// the file ab/cdef.... It is on a file system that overlayfs takes as a lower
	// directory.
	BlobsDir string
	// RootsDir is a directory for this package: a cache, and the writable
	// directories of roots. It is created, mode 0700. Processes share it.
	RootsDir string
	// Method is the way to make roots. Auto takes the best that works.
	Method Method
	// Private attaches roots in a mount namespace of this process' own: nobody
	// else sees them, and they are gone when it dies, even when it is killed.
	// Whoever starts a process in a root must then do it from a thread that
	// called [Roots.Enter].
	// Where there can be no such namespace, as in a chroot, they are attached
	// where the process is, and [Sweep] takes away what a kill leaves.
	Private bool
	// MaxDeltas is how many images of changes are stacked on a base image before
	// they are made one. Zero stands for 16.
	MaxDeltas int
	// MaxStacks is how many trees are kept ready to be mounted again or to be
	// stacked on. Zero stands for 32.
	MaxStacks int
}

// Roots makes trees mountable. It is for several goroutines.
type Roots struct {
	o      Options
	ns     *mount.Namespace // nil without Options.Private
	method Method           // never Auto

	mu       sync.Mutex
	stacks   map[digest.Digest]*stack
	building map[digest.Digest]*building
	clock    uint64
	errs     []error // of what was done behind

	behind sync.WaitGroup
}

// building is a stack that is being made.
type building struct {
	done  chan struct{} // closed when it is
	waits bool          // it may wait for another one
}

// New prepares to make roots: it tries on the file system of o.RootsDir which
// methods work, which takes some milliseconds, and takes away what dead
// processes left. Close it.
func New(ctx context.Context, o Options) (*Roots, error) {
	var err error
	if o.RootsDir, err = filepath.Abs(o.RootsDir); err != nil {
		return nil, err
	}
	if o.BlobsDir, err = filepath.Abs(o.BlobsDir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.RootsDir, 0o700); err != nil {
		return nil, err
	}
	if o.MaxDeltas == 0 {
		o.MaxDeltas = 16
	}
	if o.MaxStacks == 0 {
		o.MaxStacks = 32
	}
	if _, err := Sweep(ctx, o.RootsDir); err != nil {
		return nil, fmt.Errorf("leftovers of dead processes: %w", err)
	}
	r := &Roots{o: o, method: o.Method, stacks: map[digest.Digest]*stack{}, building: map[digest.Digest]*building{}}
	if o.Method == Auto {
		c, err := Probe(ctx, o.RootsDir)
		if err != nil {
			return nil, err
		}
		r.method = c.Best()
	}
	if o.Private {
		ns, err := mount.NewNamespace()
		switch {
		case err == nil:
			r.ns = ns
		case errors.Is(err, syscall.EINVAL): // in a chroot: then as without Private
		default:
			return nil, err
		}
	}
	return r, nil
}

// Method is the way in which roots are made; never [Auto].
func (r *Roots) Method() Method { return r.method }

// Enter moves the calling thread to where roots are attached: what it then
// starts sees them. The goroutine must have locked its thread, and must never
// unlock it. Without [Options].Private it does nothing.
func (r *Roots) Enter() error { return r.ns.Enter() }

// Close waits for what is done behind and gives all up that is kept ready. Roots
// must be closed before.
func (r *Roots) Close() error {
	r.mu.Lock()
	for d, s := range r.stacks {
		delete(r.stacks, d)
		r.drop(s.layers)
	}
	r.mu.Unlock()
	r.behind.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	return errors.Join(append(r.errs, r.ns.Close())...)
}

// later does f behind, and keeps its error for Close.
func (r *Roots) later(f func() error) {
	r.behind.Go(func() {
		if err := f(); err != nil {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.errs = append(r.errs, err)
		}
	})
}

// drop gives up one use of each layer; r.mu is held. Layers that end are closed
// behind: the kernel waits for all of its threads to forget a mount.
func (r *Roots) drop(layers []*layer) {
	for _, l := range layers {
		if l.refs--; l.refs == 0 {
			r.later(l.close)
		}
	}
}

// prepare gives the stack that shows t, held for the caller. Without near it
// waits for nothing that could wait for the caller: where that would be, it
// gives nil.
func (r *Roots) prepare(ctx context.Context, t tree.Tree, d digest.Digest, near []tree.Tree, patient bool) (*stack, error) {
	for {
		r.mu.Lock()
		if s := r.stacks[d]; s != nil {
			r.hold(s)
			r.mu.Unlock()
			return s, nil
		}
		other := r.building[d]
		if other == nil {
			break
		}
		r.mu.Unlock()
		if other.waits && !patient {
			return nil, nil
		}
		select {
		case <-other.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	own := &building{done: make(chan struct{}), waits: len(near) > 0}
	r.building[d] = own
	r.mu.Unlock()
	s, err := r.build(ctx, t, d, near)
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.building, d)
	close(own.done)
	if err != nil {
		return nil, err
	}
	r.keep(d, s)
	return s, nil
}

func (r *Roots) hold(s *stack) {
	r.clock++
	s.used = r.clock
	for _, l := range s.layers {
		l.refs++
	}
}

// keep takes up a stack whose layers the caller holds, and forgets the one that
// was not used for longest when there are too many; r.mu is held.
func (r *Roots) keep(d digest.Digest, s *stack) {
	r.hold(s)
	r.stacks[d] = s
	if len(r.stacks) <= r.o.MaxStacks {
		return
	}
	var oldest digest.Digest
	for k, o := range r.stacks {
		if oldest.IsZero() || o.used < r.stacks[oldest].used {
			oldest = k
		}
	}
	layers := r.stacks[oldest].layers
	delete(r.stacks, oldest)
	r.drop(layers)
}

// build makes the layers that show t: as a delta on those of a tree that is
// near, or whole.
func (r *Roots) build(ctx context.Context, t tree.Tree, d digest.Digest, near []tree.Tree) (*stack, error) {
	if r.method == EROFS || r.method == Loop {
		for _, n := range near {
			nd := n.Digest()
			if nd == d {
				continue
			}
			s, err := r.buildNear(ctx, t, n, nd)
			if s != nil || err != nil {
				return s, err
			}
		}
	}
	l, err := r.base(ctx, t, d)
	if err != nil {
		return nil, err
	}
	hexed, err := hasBlobName(ctx, t)
	if err != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.drop([]*layer{l})
		return nil, err
	}
	return &stack{tree: t, base: t, layers: []*layer{l}, hexed: hexed}, nil
}

// buildNear stacks a delta from n to t; nil when that is not worth it.
func (r *Roots) buildNear(ctx context.Context, t, n tree.Tree, nd digest.Digest) (*stack, error) {
	c, err := compose.Diff(ctx, n, t)
	if err != nil {
		return nil, err
	}
	most := int(min(max(1024, t.Count()/8), 1<<20))
	delta, err := erofs.NewDelta(ctx, n, t, c, most)
	if errors.Is(err, erofs.ErrTooLarge) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	on, err := r.prepare(ctx, n, nd, nil, false)
	if errors.Is(err, erofs.ErrUnsupported) {
		return nil, nil // t may be without what n has
	}
	if on == nil || err != nil {
		return nil, err
	}
	defer func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.drop(on.layers)
	}()
	if on.hexed {
		return nil, nil
	}
	lower := on.layers
	if len(lower) > r.o.MaxDeltas {
		lower = lower[len(lower)-1:]
		if c, err = compose.Diff(ctx, on.base, t); err != nil {
			return nil, err
		}
		delta, err = erofs.NewDelta(ctx, on.base, t, c, most)
		if errors.Is(err, erofs.ErrTooLarge) {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
	}
	hexed, err := hasBlobName(ctx, t)
	if err != nil {
		return nil, err
	}
	l, err := r.image(ctx, delta)
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range lower {
		l.refs++
	}
	layers := append([]*layer{l}, lower...)
	return &stack{tree: t, base: on.base, layers: layers, hexed: hexed}, nil
}

// hasBlobName tells whether t has a name at its root that a directory of blobs
// could have: two hexadecimal digits.
//
// Overlayfs looks for the content of a file of a delta, at /ab/cdef..., in the
// layers below it first, and then in the blobs. A tree that has such a path
// could so give its own content to files that are not its own. Nothing is
// stacked on an image of such a tree.
func hasBlobName(ctx context.Context, t tree.Tree) (bool, error) {
	const digits = "0123456789abcdef"
	for i := range digits {
		for j := range digits {
			_, ok, err := t.Get(ctx, string([]byte{digits[i], digits[j]}))
			if ok || err != nil {
				return ok, err
			}
		}
	}
	return false, nil
}
