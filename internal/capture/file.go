package capture

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"

	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sys/unix"
)

// File captures the regular file at path on the host. The path may lead through
// symlinks and may end in one. What is not a regular file is refused. Of the
// options Owner and Progress count.
func File(ctx context.Context, path string, sink Sink, o Options) (tree.File, Stats, error) {
	w := &walk{root: path, sink: sink, o: o}
	w.count.tell = o.Progress
	f, err := w.only(ctx)
	if err != nil {
		return tree.File{}, Stats{}, err
	}
	w.count.entries.Add(1)
	return f, w.count.end(), nil
}

// Symlink captures the symlink at path on the host; ok is false if something else
// is there. Of the options Owner counts.
func Symlink(path string, o Options) (l tree.Symlink, ok bool, err error) {
	w := &walk{root: path, o: o}
	fd, err := openat(unix.AT_FDCWD, filepath.Dir(path), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC)
	if err != nil {
		return l, false, pathError("capture", path, err)
	}
	d := newOpenDir(fd)
	defer d.release()
	var st unix.Statx_t
	if err := statx(d.fd, filepath.Base(path), &st); err != nil {
		return l, false, pathError("capture", path, err)
	}
	if kindOf(&st) != unix.S_IFLNK {
		return l, false, nil
	}
	e, err := w.once(context.Background(), newWorker(), d, filepath.Base(path), &st, nil)
	if err != nil {
		return l, false, pathError("capture", path, err)
	}
	return e.(tree.Symlink), true, nil
}

// only captures the root of the walk as a file.
func (w *walk) only(ctx context.Context) (tree.File, error) {
	wk := newWorker()
	for range tries {
		f, err := w.onlyOnce(ctx, wk)
		if !errors.Is(err, errAgain) {
			if err != nil {
				err = pathError("capture", w.root, err)
			}
			return f, err
		}
	}
	return tree.File{}, &ChangedError{Path: w.root, Tries: tries}
}

var errNotRegular = errors.New("not a regular file")

func (w *walk) onlyOnce(ctx context.Context, wk *worker) (f tree.File, err error) {
	fd, err := openat(unix.AT_FDCWD, w.root, unix.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY|unix.O_CLOEXEC)
	if err != nil {
		return f, err
	}
	b := &body{fd: fd}
	defer b.close()
	if err := statx(fd, "", &b.st); err != nil {
		return f, err
	}
	switch kindOf(&b.st) {
	case unix.S_IFREG:
	case unix.S_IFDIR:
		return f, &fs.PathError{Op: "capture", Path: w.root, Err: errors.Join(errNotRegular, unix.EISDIR)}
	default:
		return f, errNotRegular
	}
	if f.Attributes, err = w.attr(&openDir{fd: fd}, "", &b.st, wk); err != nil {
		return f, err
	}
	f.Size = int64(b.st.Size)
	if f.Size > 0 {
		if f.Content, err = b.save(ctx, w.sink, wk.room(b.st.Size), w.count.read); err != nil {
			return f, err
		}
		w.count.readFiles.Add(1)
	}
	w.count.file(f.Size)
	return f, nil
}
