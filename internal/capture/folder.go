package capture

import (
	"context"
	"fmt"
	"slices"

	"github.com/inlaybuild/inlay/internal/ignore"
	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sys/unix"
)

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
