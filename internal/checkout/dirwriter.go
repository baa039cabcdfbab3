//go:build linux

package checkout

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sys/unix"
)

// dirWriter writes one tree into one directory.
type dirWriter struct {
	open     OpenBlob
	attrs    attrs
	sparse   bool
	merge    bool // the directory holds something
	workers  int
	progress func(Progress)
	// redirect makes regular files without content: the path that it gives is
	// where overlayfs finds it.
	redirect func(digest.Digest) string

	root  int          // descriptor of the directory
	temps atomic.Int64 // names given so far to what replaces something

	mu   sync.Mutex
	done Progress
	err  error
}

// batch is entries of one directory, for one worker.
type batch struct {
	dir   string // rooted, in the tree
	items []tree.Item
}

const batchSize = 64

// write writes directories first, then all other entries by the workers, then
// hardlinks, then the attributes of directories: writing into one changes its
// mtime, and its mode may forbid writing.
func (w *dirWriter) write(ctx context.Context, t tree.Tree, dir string) (err error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: dir, Err: err}
	}
	w.root = fd
	defer func() { err = errors.Join(err, os.NewSyscallError("close", unix.Close(fd))) }()

	batches := make(chan batch)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var group sync.WaitGroup
	workers := w.workers
	if workers < 1 {
		workers = 4
	}
	for range workers {
		group.Go(func() {
			buf := make([]byte, 1<<18)
			for b := range batches {
				if w.failed() == nil {
					if err := w.batch(ctx, b, buf); err != nil {
						w.fail(err)
						cancel(err)
					}
				}
			}
		})
	}
	dirs, links, err := w.walk(ctx, t, batches)
	close(batches)
	group.Wait()
	if failed := w.failed(); failed != nil {
		return failed
	}
	if err != nil {
		return err
	}
	for _, l := range links {
		if err := w.link(l); err != nil {
			return pathError("link", l.Path, err)
		}
	}
	for i := len(dirs) - 1; i >= 0; i-- {
		if err := w.finishDir(dirs[i]); err != nil {
			return pathError("checkout", dirs[i].Path, err)
		}
	}
	w.report(Progress{})
	return ctx.Err()
}

// walk makes the directories and hands out what is in them.
func (w *dirWriter) walk(ctx context.Context, t tree.Tree, out chan<- batch) (dirs, links []tree.Item, err error) {
	var open []batch
	flush := func(b *batch) error {
		if len(b.items) == 0 {
			return nil
		}
		full := batch{b.dir, b.items}
		b.items = nil
		select {
		case out <- full:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	for it, err := range tree.Walk(ctx, t, tree.WalkOptions{}) {
		if err != nil {
			return nil, nil, err
		}
		if it.Path != "/" {
			dir := path.Dir(it.Path)
			for open[len(open)-1].dir != dir {
				if err := flush(&open[len(open)-1]); err != nil {
					return nil, nil, err
				}
				open = open[:len(open)-1]
			}
		}
		switch {
		case it.Entry.Kind() == tree.KindDirectory:
			if it.Path != "/" {
				if err := w.mkdir(it.Path); err != nil {
					return nil, nil, pathError("mkdir", it.Path, err)
				}
			}
			dirs = append(dirs, it)
			open = append(open, batch{dir: it.Path})
		case it.Link != nil && it.Link.First != it.Path:
			links = append(links, it)
		default:
			b := &open[len(open)-1]
			b.items = append(b.items, it)
			if len(b.items) == batchSize {
				if err := flush(b); err != nil {
					return nil, nil, err
				}
			}
		}
	}
	for i := range open {
		if err := flush(&open[i]); err != nil {
			return nil, nil, err
		}
	}
	return dirs, links, nil
}

func (w *dirWriter) failed() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

func (w *dirWriter) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
}

func (w *dirWriter) report(p Progress) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.done.Entries += p.Entries
	w.done.Bytes += p.Bytes
	if w.progress != nil {
		w.progress(w.done)
	}
}

// at opens a directory of the tree on disk, through no symlink and no mount, and
// calls f with its descriptor. A path may be longer than the kernel takes at
// once.
func (w *dirWriter) at(dir string, f func(fd int) error) error {
	fd, own := w.root, false
	defer func() {
		if own {
			unix.Close(fd)
		}
	}()
	for rest := strings.Trim(dir, "/"); rest != ""; {
		piece := rest
		if len(piece) > 4000 {
			piece = rest[:strings.LastIndexByte(rest[:4000], '/')]
		}
		rest = strings.TrimPrefix(rest[len(piece):], "/")
		next, err := unix.Openat2(fd, piece, &unix.OpenHow{
			Flags:   unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC,
			Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV,
		})
		if err != nil {
			return fmt.Errorf("the directory above it: %w", err)
		}
		if own {
			unix.Close(fd)
		}
		fd, own = next, true
	}
	return f(fd)
}

func (w *dirWriter) mkdir(p string) error {
	return w.at(path.Dir(p), func(fd int) error {
		name := path.Base(p)
		err := unix.Mkdirat(fd, name, 0o700)
		if !errors.Is(err, unix.EEXIST) || !w.merge {
			return err
		}
		var st unix.Stat_t
		if err := unix.Fstatat(fd, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return err
		}
		if st.Mode&unix.S_IFMT == unix.S_IFDIR {
			return nil
		}
		if err := unix.Unlinkat(fd, name, 0); err != nil {
			return err
		}
		return unix.Mkdirat(fd, name, 0o700)
	})
}

func (w *dirWriter) link(it tree.Item) error {
	return w.at(path.Dir(it.Link.First), func(from int) error {
		return w.at(path.Dir(it.Path), func(to int) error {
			return w.replace(to, path.Base(it.Path), func(name string) error {
				return unix.Linkat(from, path.Base(it.Link.First), to, name, 0)
			})
		})
	})
}

func (w *dirWriter) finishDir(it tree.Item) error {
	if it.Path == "/" {
		return w.attrs.set(w.root, ".", it.Entry)
	}
	return w.at(path.Dir(it.Path), func(fd int) error {
		return w.attrs.set(fd, path.Base(it.Path), it.Entry)
	})
}
