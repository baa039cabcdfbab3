package capture

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/inlaybuild/inlay/internal/ignore"
	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sys/unix"
)

// Directory captures the directory at path on the host, with all below it. The
// path itself may lead through symlinks and may end in one. Bodies that the
// sink does not have are given to it.
//
// Mounts in the directory are captured too, unless Options.OneFileSystem is
// set; directories such as /proc are better excluded. A file of size 0 is empty
// and not opened, whatever reading it would give.
//
// It costs a few microseconds an entry, and reading what the stat cache of
// Options.CacheDir does not know. An error of something that cannot be read
// names it, is an fs.PathError, and means that nothing is captured.
func Directory(ctx context.Context, path string, sink Sink, o Options) (tree.Tree, Stats, error) {
	patterns, err := ignore.NewPatterns(o.Include, o.Exclude)
	if err != nil {
		return tree.Tree{}, Stats{}, fmt.Errorf("capture %s: %w", path, err)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Workers <= 0 {
		o.Workers = 16
	}
	cache, err := openCache(path, o)
	if err != nil {
		return tree.Tree{}, Stats{}, fmt.Errorf("capture %s: %w", path, err)
	}
	for {
		w := &walk{root: path, sink: sink, o: o, patterns: patterns, cache: cache, pool: newPool(), inodes: map[inode]*shared{}}
		w.count.tell = o.Progress
		missing := cache.missing(ctx, sink)
		t, err := w.run(ctx)
		lost, lostErr := missing()
		if err = errors.Join(err, lostErr); err != nil {
			return tree.Tree{}, w.count.stats(), err
		}
		if !w.relies(lost) {
			cache.save(slices.Concat(w.news...))
			return t, w.count.end(), nil
		}
		cache.forget(lost) // and read those files after all
	}
}

// walk is one capture of a directory.
type walk struct {
	root     string // as the caller named it
	sink     Sink
	o        Options
	patterns *ignore.Patterns
	cache    *statCache
	pool     *pool
	count    counter
	xattrs   xattrReader
	mount    uint64 // the mount of the root

	mu     sync.Mutex
	inodes map[inode]*shared // with several names
	news   [][]record        // what files were found to be
	result tree.Tree
}

// shared is an inode with several names.
type shared struct {
	done  chan struct{} // closed when entry is there, or will never be
	entry tree.Entry
	names []string // under walk.mu
}

// folder is a directory that is being captured.
type folder struct {
	above *folder // nil for the root
	name  string
	path  string // relative to the root, "" for the root
	state ignore.State
	git   *ignore.Git
	keep  bool // even when nothing in it is kept
	leaf  bool // a mount that is not entered

	attr tree.Attr
	left atomic.Int32 // jobs and directories that are not done; then it is finished
	mu   sync.Mutex
	kids []tree.Child
}

// batch is how many names one job looks at.
const batch = 128

func (w *walk) run(ctx context.Context) (tree.Tree, error) {
	fd, err := openat(unix.AT_FDCWD, w.root, dirFlags&^unix.O_NOFOLLOW)
	if err != nil {
		return tree.Tree{}, pathError("capture", w.root, err)
	}
	d := newOpenDir(fd)
	defer d.release()
	root := &folder{keep: true}
	var st unix.Statx_t
	if err := statx(fd, "", &st); err != nil {
		return tree.Tree{}, pathError("capture", w.root, err)
	}
	w.mount = st.Mnt_id
	w.pool.push(job{d, func(ctx context.Context, wk *worker) error { return w.folder(ctx, wk, root, d) }})
	if err := w.pool.run(ctx, w.o.Workers); err != nil {
		return tree.Tree{}, err
	}
	return w.link(ctx)
}

// at gives the name of a path for errors.
func (w *walk) at(path string) string { return join(w.root, path) }

// enter opens a directory in another one and captures it.
func (w *walk) enter(ctx context.Context, wk *worker, f *folder, in *openDir) error {
	fd, err := openat(in.fd, f.name, dirFlags)
	switch {
	case err == unix.ENOENT:
		return w.leave(ctx, f, false)
	case err == unix.ELOOP || err == unix.ENOTDIR:
		return &ChangedError{Path: w.at(f.path), Tries: 1}
	case err != nil:
		return pathError("open", w.at(f.path), err)
	}
	d := newOpenDir(fd)
	defer d.release()
	return w.folder(ctx, wk, f, d)
}
