package capture

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/capture/ignore"
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
	root := &folder{keep: true}
	var st unix.Statx_t
	if err := statx(fd, "", &st); err != nil {
		d.release()
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

// folder captures an open directory: itself, and by further jobs what it holds.
func (w *walk) folder(ctx context.Context, wk *worker, f *folder, d *openDir) error {
	var st unix.Statx_t
	err := statx(d.fd, "", &st)
	if err == nil {
		f.attr, err = w.attr(d, "", &st, wk)
	}
	var list []dirent
	f.leaf = w.o.OneFileSystem && st.Mnt_id != w.mount
	if err == nil && !f.leaf {
		list, err = names(d.fd, wk.buf)
	}
	if err == nil && w.o.Gitignore {
		err = w.gitignore(wk, f, d, list)
	}
	if err != nil {
		return pathError("capture", w.at(f.path), err)
	}
	f.left.Store(1)
	var jobs []job
	for part := range slices.Chunk(list, batch) {
		d.hold()
		f.left.Add(1)
		jobs = append(jobs, job{d, func(ctx context.Context, wk *worker) error {
			if err := w.names(ctx, wk, f, d, part); err != nil {
				return err
			}
			return w.done(ctx, f)
		}})
	}
	w.pool.push(jobs...)
	return w.done(ctx, f)
}

// gitignore reads the directory's own .gitignore file.
func (w *walk) gitignore(wk *worker, f *folder, d *openDir, list []dirent) error {
	const name = ".gitignore"
	if !slices.ContainsFunc(list, func(e dirent) bool { return e.name == name }) {
		return nil
	}
	var st unix.Statx_t
	if err := statx(d.fd, name, &st); err != nil || kindOf(&st) != unix.S_IFREG {
		return nil // as git: only a regular file counts
	}
	if st.Size > ignore.MaxGitignore {
		return pathError("read", w.at(join(f.path, name)), fmt.Errorf("it has %d bytes, at most %d are possible", st.Size, ignore.MaxGitignore))
	}
	b, err := openBody(d.fd, name, &st)
	if err != nil {
		return pathError("read", w.at(join(f.path, name)), err)
	}
	defer b.close()
	text, err := b.small(make([]byte, st.Size))
	if err != nil {
		return pathError("read", w.at(join(f.path, name)), err)
	}
	f.git = f.git.Below(f.path, text)
	return nil
}

// names captures some of the names in a directory.
func (w *walk) names(ctx context.Context, wk *worker, f *folder, d *openDir, list []dirent) error {
	kids := make([]tree.Child, 0, len(list))
	var recs []record
	var dirs []job
	for _, e := range list {
		if err := ctx.Err(); err != nil {
			return err
		}
		sub, entry, err := w.name(ctx, wk, f, d, e, &recs)
		if err != nil {
			return pathError("capture", w.at(join(f.path, e.name)), err)
		}
		if entry != nil {
			kids = append(kids, tree.Child{Name: e.name, Entry: entry})
		}
		if sub != nil {
			d.hold()
			f.left.Add(1)
			dirs = append(dirs, job{d, func(ctx context.Context, wk *worker) error { return w.enter(ctx, wk, sub, d) }})
		}
	}
	w.pool.push(dirs...)
	f.mu.Lock()
	f.kids = append(f.kids, kids...)
	f.mu.Unlock()
	if len(recs) > 0 {
		w.mu.Lock()
		w.news = append(w.news, recs)
		w.mu.Unlock()
	}
	w.count.entries.Add(int64(len(kids)))
	w.count.tick()
	return nil
}

// name captures one name: as a directory to enter, or as an entry, or as
// neither when it is not wanted or gone.
func (w *walk) name(ctx context.Context, wk *worker, f *folder, d *openDir, e dirent, recs *[]record) (*folder, tree.Entry, error) {
	path := e.name
	filtered := !w.patterns.IsEmpty() || f.git != nil
	if f.path != "" && (filtered || e.kind == unix.DT_DIR || e.kind == unix.DT_UNKNOWN) {
		path = f.path + "/" + e.name
	}
	var st unix.Statx_t
	if e.kind == unix.DT_UNKNOWN {
		if err := statx(d.fd, e.name, &st); err != nil {
			return nil, nil, gone(err)
		}
		e.kind = byte(kindOf(&st) >> 12)
	}
	isDir := e.kind == unix.DT_DIR
	v, state := ignore.Verdict{Keep: true, Descend: isDir}, ignore.State{}
	if filtered {
		if f.git.Ignores(path, isDir) {
			return nil, nil, nil
		}
		var err error
		if v, state, err = w.patterns.Match(path, isDir, f.state); err != nil {
			return nil, nil, err
		}
		if !v.Keep && !v.Descend {
			return nil, nil, nil
		}
	}
	if isDir {
		return &folder{above: f, name: e.name, path: path, state: state, git: f.git, keep: v.Keep}, nil, nil
	}
	if err := statx(d.fd, e.name, &st); err != nil {
		return nil, nil, gone(err)
	}
	if kindOf(&st) == unix.S_IFDIR { // it was something else a moment ago
		return nil, nil, &ChangedError{Path: w.at(path), Tries: 1}
	}
	entry, err := w.entry(ctx, wk, f, d, e.name, &st, recs)
	return nil, entry, err
}

// gone makes nothing of the error of a name that is not there any more.
func gone(err error) error {
	if err == unix.ENOENT {
		return nil
	}
	return err
}

// attr gives the attributes of a name in d, or of d itself.
func (w *walk) attr(d *openDir, name string, st *unix.Statx_t, wk *worker) (tree.Attr, error) {
	a, err := attrOf(st, w.o.Owner)
	if err != nil {
		return a, err
	}
	x, err := w.xattrs.read(d, name, wk.xattr)
	if err == nil && x != nil {
		a.Xattrs = tree.NewXattrs(x)
	}
	return a, err
}

// entry captures something that is not a directory; nil when it is gone.
func (w *walk) entry(ctx context.Context, wk *worker, f *folder, d *openDir, name string, st *unix.Statx_t, recs *[]record) (tree.Entry, error) {
	if st.Nlink < 2 {
		return w.single(ctx, wk, f, d, name, st, recs)
	}
	key := inodeOf(st)
	w.mu.Lock()
	s, known := w.inodes[key]
	if !known {
		s = &shared{done: make(chan struct{})}
		w.inodes[key] = s
	}
	w.mu.Unlock()
	if !known {
		defer close(s.done)
		e, err := w.single(ctx, wk, f, d, name, st, recs)
		if s.entry = e; e != nil {
			w.named(s, f, name)
		}
		return e, err
	}
	select {
	case <-s.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if s.entry == nil {
		return nil, &ChangedError{Path: w.at(join(f.path, name)), Tries: 1}
	}
	if file, ok := s.entry.(tree.File); ok {
		w.count.file(file.Size)
	}
	w.named(s, f, name)
	return s.entry, nil
}

func (w *walk) named(s *shared, f *folder, name string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	s.names = append(s.names, join(f.path, name))
}

// single captures an inode.
func (w *walk) single(ctx context.Context, wk *worker, f *folder, d *openDir, name string, st *unix.Statx_t, recs *[]record) (tree.Entry, error) {
	for range tries {
		e, err := w.once(ctx, wk, d, name, st, recs)
		if !errors.Is(err, errAgain) {
			return e, gone(err)
		}
		if err := statx(d.fd, name, st); err != nil {
			return nil, gone(err)
		}
		if kindOf(st) == unix.S_IFDIR {
			break
		}
	}
	return nil, &ChangedError{Path: w.at(join(f.path, name)), Tries: tries}
}

// once captures an inode as st says that it is, or says errAgain.
func (w *walk) once(ctx context.Context, wk *worker, d *openDir, name string, st *unix.Statx_t, recs *[]record) (tree.Entry, error) {
	if kindOf(st) == unix.S_IFREG {
		return w.file(ctx, wk, d, name, st, recs)
	}
	a, err := w.attr(d, name, st, wk)
	if err != nil {
		return nil, err
	}
	if kindOf(st) == unix.S_IFLNK {
		target, err := readlink(d.fd, name, wk.buf)
		if err == unix.EINVAL {
			err = errAgain
		}
		return tree.Symlink{Attributes: a, Target: target}, err
	}
	if e := special(st, a); e != nil {
		return e, nil
	}
	return nil, fmt.Errorf("it is of an unknown kind (mode %o)", st.Mode)
}

// file captures a regular file.
func (w *walk) file(ctx context.Context, wk *worker, d *openDir, name string, st *unix.Statx_t, recs *[]record) (tree.Entry, error) {
	size := int64(st.Size)
	if dig, plain, ok := w.cache.find(st); ok {
		a, err := attrOf(st, w.o.Owner)
		if err == nil && !plain {
			a, err = w.attr(d, name, st, wk)
		}
		if err != nil {
			return nil, err
		}
		w.count.file(size)
		w.count.cached.Add(1)
		r := makeRecord(st, dig, plain)
		r.cached = true
		*recs = append(*recs, r)
		return tree.File{Attributes: a, Size: size, Content: dig}, nil
	}
	a, err := w.attr(d, name, st, wk)
	if err != nil {
		return nil, err
	}
	var dig digest.Digest
	if size > 0 {
		b, err := openBody(d.fd, name, st)
		if err != nil {
			return nil, err
		}
		defer b.close()
		if dig, err = b.save(ctx, w.sink, wk.buf, w.count.read); err != nil {
			return nil, err
		}
		w.count.readFiles.Add(1)
		if w.cache.settled(st) {
			*recs = append(*recs, makeRecord(st, dig, a.Xattrs.IsEmpty()))
		}
	}
	w.count.file(size)
	return tree.File{Attributes: a, Size: size, Content: dig}, nil
}

// done says that a part of a directory is captured.
func (w *walk) done(ctx context.Context, f *folder) error {
	for f != nil && f.left.Add(-1) == 0 {
		next, err := w.finish(ctx, f, true)
		if err != nil {
			return err
		}
		f = next
	}
	return nil
}

// leave gives up a directory that is not there any more.
func (w *walk) leave(ctx context.Context, f *folder, there bool) error {
	next, err := w.finish(ctx, f, there)
	if err != nil {
		return err
	}
	return w.done(ctx, next)
}

// finish makes a tree of a directory whose parts are all captured, and gives the
// directory above it.
func (w *walk) finish(ctx context.Context, f *folder, there bool) (*folder, error) {
	if !there || !f.keep && len(f.kids) == 0 {
		return f.above, nil
	}
	draft := tree.NewDraft(tree.Empty().With(f.attr))
	for _, k := range f.kids {
		draft.Put(k.Name, k.Entry)
	}
	t, err := draft.Tree(ctx)
	if err != nil {
		return nil, fmt.Errorf("capture %s: %w", w.at(f.path), err)
	}
	f.kids = nil
	if f.above == nil {
		w.result = t
		return nil, nil
	}
	w.count.entries.Add(1)
	f.above.mu.Lock()
	f.above.kids = append(f.above.kids, tree.Child{Name: f.name, Entry: t})
	f.above.mu.Unlock()
	return f.above, nil
}

// link gives the captured tree with its hardlinks.
func (w *walk) link(ctx context.Context) (tree.Tree, error) {
	draft := tree.NewDraft(w.result)
	linked := false
	for _, s := range w.inodes {
		if len(s.names) > 1 {
			draft.Link(s.names...)
			linked = true
		}
	}
	if !linked {
		return w.result, nil
	}
	t, err := draft.Tree(ctx)
	if err != nil {
		return t, fmt.Errorf("capture %s: %w", w.root, err)
	}
	return t, nil
}

// relies tells whether the capture took one of the digests from the cache.
func (w *walk) relies(lost map[digest.Digest]bool) bool {
	if len(lost) == 0 {
		return false
	}
	for _, part := range w.news {
		for _, r := range part {
			if lost[r.digest] && r.cached {
				return true
			}
		}
	}
	return false
}

func absolute(path string) (string, error) {
	if strings.HasPrefix(path, "/") {
		return filepath.Clean(path), nil
	}
	return filepath.Abs(path)
}
