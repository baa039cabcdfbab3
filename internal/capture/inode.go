package capture

import (
	"context"
	"errors"
	"fmt"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/tree"
	"golang.org/x/sys/unix"
)

// attr gives the attributes of a name in d, or of d itself.
func (w *walk) attr(d *openDir, name string, st *unix.Statx_t, wk *worker) (tree.Attr, error) {
	a, err := attrOf(st, w.o.Owner)
	if err != nil {
		return a, err
	}
	x, err := w.xattrs.read(d, name, wk.buf)
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
		if dig, err = b.save(ctx, w.sink, wk.room(b.st.Size), w.count.read); err != nil {
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
