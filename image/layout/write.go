package layout

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"

	"github.com/inlaybuild/inlay/image"
)

// Missing gives those of ds whose blobs are not there with their size.
func (l *Layout) Missing(ctx context.Context, ds []image.Descriptor) ([]image.Descriptor, error) {
	var missing []image.Descriptor
	for _, d := range ds {
		has, err := l.has(d)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", l.dir, err)
		}
		if !has {
			missing = append(missing, d)
		}
	}
	return missing, nil
}

func (l *Layout) has(d image.Descriptor) (bool, error) {
	st, err := l.root.Stat(blobPath(d.Digest))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return st.Mode().IsRegular() && st.Size() == d.Size, nil
}

// Push writes a blob, unless it is there. It is verified and flushed before it
// gets its name.
func (l *Layout) Push(ctx context.Context, d image.Descriptor, open func(context.Context) (io.ReadCloser, error)) error {
	if has, err := l.has(d); has || err != nil {
		return err
	}
	rc, err := open(ctx)
	if err != nil {
		return err
	}
	defer rc.Close()
	r := &interruptible{ctx, image.Verified(rc, d)}
	if err := l.write(blobPath(d.Digest), r); err != nil {
		return fmt.Errorf("%s: %w", l.dir, err)
	}
	return nil
}

type interruptible struct {
	ctx context.Context // of the one Push that this reader lives in
	io.Reader
}

func (r *interruptible) Read(b []byte) (int, error) {
	if err := context.Cause(r.ctx); err != nil {
		return 0, err
	}
	return r.Reader.Read(b)
}

// Tag names d in index.json. Other names stay. An empty name lists d without
// one, unless it is listed already. The blobs of what had the name before stay.
func (l *Layout) Tag(ctx context.Context, d image.Descriptor, name string) error {
	if has, err := l.has(d); err != nil || !has {
		return fmt.Errorf("%s: tag %q: %w", l.dir, name, errors.Join(err, image.NotFound(d.Digest)))
	}
	unlock, err := l.lock()
	if err != nil {
		return fmt.Errorf("%s: %w", l.dir, err)
	}
	defer unlock()
	x, err := l.Index()
	if err != nil {
		return err
	}
	entry := d.Bare()
	entry.Platform, entry.ArtifactType = d.Platform, d.ArtifactType
	entry = entry.WithAnnotation(image.AnnotationRefName, name)
	listed := slices.ContainsFunc(x.Manifests, func(e image.Descriptor) bool { return e.Digest == d.Digest })
	switch {
	case name == "" && listed:
		return nil
	case name != "":
		x.Manifests = slices.DeleteFunc(x.Manifests, func(e image.Descriptor) bool {
			n := e.Annotations[image.AnnotationRefName]
			return n == name || n == "" && e.Digest == d.Digest
		})
	}
	x.Manifests = append(x.Manifests, entry)
	if err := l.writeIndex(x.Sorted()); err != nil {
		return fmt.Errorf("%s: %w", l.dir, err)
	}
	return nil
}

func (l *Layout) writeIndex(x image.Index) error {
	b, err := x.Bytes()
	if err != nil {
		return err
	}
	return l.replace(indexFile, b)
}

func (l *Layout) replace(name string, b []byte) error {
	return l.write(name, bytes.NewReader(b))
}

// write puts the bytes of r, if all could be read, at name: into a file beside
// it, which is flushed and renamed, and then the directory is flushed.
func (l *Layout) write(name string, r io.Reader) (err error) {
	tmp := path.Join(path.Dir(name), ".tmp-"+rand.Text())
	f, err := l.root.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			l.root.Remove(tmp)
		}
	}()
	_, err = io.Copy(f, r)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	if err = l.root.Rename(tmp, name); err != nil {
		return err
	}
	return l.flush(path.Dir(name))
}

func (l *Layout) flush(dir string) error {
	d, err := l.root.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return flushDir(d)
}
