package tree

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"time"

	"github.com/inlaybuild/inlay/digest"
)

// Contents opens the contents of files.
type Contents interface {
	OpenContent(ctx context.Context, d digest.Digest) (io.ReadCloser, error)
}

// FS gives t as a file system of the standard library: it has Open, ReadDir,
// ReadLink, Lstat, Stat, Glob and Sub. Open and Stat follow symlinks, inside t.
// The file system keeps ctx, and fails when it is done. The contents of files
// are opened from c; without it, opening a file that is not empty fails.
func FS(ctx context.Context, t Tree, c Contents) fs.FS {
	return &fsView{ctx: ctx, root: t, contents: c}
}

type fsView struct {
	ctx      context.Context
	root     Tree
	contents Contents
}

var (
	_ fs.ReadDirFS  = (*fsView)(nil)
	_ fs.ReadLinkFS = (*fsView)(nil)
	_ fs.StatFS     = (*fsView)(nil)
	_ fs.SubFS      = (*fsView)(nil)
	_ fs.GlobFS     = (*fsView)(nil)
	_ fs.ReadFileFS = (*fsView)(nil)
)

func (v *fsView) find(op, name string, f Follow) (*Info, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	if err := v.ctx.Err(); err != nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	r, err := Resolve(v.ctx, v.root, name, f)
	if err != nil {
		var pe *fs.PathError
		if errors.As(err, &pe) {
			err = pe.Err
		}
		return nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	if r.Entry == nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	return &Info{name: path.Base(name), entry: r.Entry}, nil
}

// Open opens a file or a directory for reading, following symlinks.
func (v *fsView) Open(name string) (fs.File, error) {
	info, err := v.find("open", name, FollowAll)
	if err != nil {
		return nil, err
	}
	switch e := info.entry.(type) {
	case Tree:
		return &openDir{view: v, name: name, info: info, tree: e}, nil
	case File:
		f := &openFile{info: info}
		if e.Size == 0 {
			return f, nil
		}
		if v.contents == nil {
			return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("this view has no contents of files")}
		}
		if f.body, err = v.contents.OpenContent(v.ctx, e.Content); err != nil {
			return nil, &fs.PathError{Op: "open", Path: name, Err: err}
		}
		return f, nil
	}
	return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("a " + info.entry.Kind().String() + " cannot be read")}
}

// ReadFile reads a whole file.
func (v *fsView) ReadFile(name string) ([]byte, error) {
	f, err := v.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(f)
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return b, nil
}

// Stat describes what a path leads to.
func (v *fsView) Stat(name string) (fs.FileInfo, error) {
	info, err := v.find("stat", name, FollowAll)
	if err != nil {
		return nil, err
	}
	return info, nil
}

// Lstat describes what stands at a path, a symlink itself.
func (v *fsView) Lstat(name string) (fs.FileInfo, error) {
	info, err := v.find("lstat", name, FollowParents)
	if err != nil {
		return nil, err
	}
	return info, nil
}

// ReadLink gives the target of a symlink.
func (v *fsView) ReadLink(name string) (string, error) {
	info, err := v.find("readlink", name, FollowParents)
	if err != nil {
		return "", err
	}
	l, ok := info.entry.(Symlink)
	if !ok {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	return l.Target, nil
}

// ReadDir lists a directory in bytewise order.
func (v *fsView) ReadDir(name string) ([]fs.DirEntry, error) {
	f, err := v.Open(name)
	if err != nil {
		return nil, err
	}
	d, ok := f.(*openDir)
	if !ok {
		f.Close()
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: ErrNotDirectory}
	}
	return d.ReadDir(-1)
}

// Sub gives the directory at a path, sealed.
func (v *fsView) Sub(name string) (fs.FS, error) {
	info, err := v.find("sub", name, FollowAll)
	if err != nil {
		return nil, err
	}
	t, ok := info.entry.(Tree)
	if !ok {
		return nil, &fs.PathError{Op: "sub", Path: name, Err: ErrNotDirectory}
	}
	return FS(v.ctx, t, v.contents), nil
}

// Glob gives the paths that match a pattern of path.Match.
func (v *fsView) Glob(pattern string) ([]string, error) {
	return fs.Glob(noGlob{v}, pattern)
}

// noGlob hides Glob, so that fs.Glob does the work.
type noGlob struct{ fs.ReadDirFS }

// Info describes an entry as fs.FileInfo does. Sys gives the [Entry].
type Info struct {
	name  string
	entry Entry
}

// NewInfo describes an entry under a name.
func NewInfo(name string, e Entry) *Info { return &Info{name, e} }

// Name gives the name that was asked for.
func (i *Info) Name() string { return i.name }

// Size gives the size in bytes of a file, the length of a symlink's target,
// otherwise 0.
func (i *Info) Size() int64 {
	switch e := i.entry.(type) {
	case File:
		return e.Size
	case Symlink:
		return int64(len(e.Target))
	}
	return 0
}

// Mode gives kind and permissions.
func (i *Info) Mode() fs.FileMode {
	a := i.entry.Attr()
	m := fs.FileMode(a.Mode & 0o777)
	for bit, is := range map[Mode]fs.FileMode{SetUID: fs.ModeSetuid, SetGID: fs.ModeSetgid, Sticky: fs.ModeSticky} {
		if a.Mode&bit != 0 {
			m |= is
		}
	}
	switch i.entry.Kind() {
	case KindDirectory:
		m |= fs.ModeDir
	case KindSymlink:
		m |= fs.ModeSymlink
	case KindCharDevice:
		m |= fs.ModeDevice | fs.ModeCharDevice
	case KindBlockDevice:
		m |= fs.ModeDevice
	case KindFifo:
		m |= fs.ModeNamedPipe
	case KindSocket:
		m |= fs.ModeSocket
	}
	return m
}

// ModTime gives the time of modification.
func (i *Info) ModTime() time.Time { return i.entry.Attr().ModTime.Std() }

// IsDir tells whether it is a directory.
func (i *Info) IsDir() bool { return i.entry.Kind() == KindDirectory }

// Sys gives the [Entry].
func (i *Info) Sys() any { return i.entry }

// Type gives the kind, as fs.DirEntry does.
func (i *Info) Type() fs.FileMode { return i.Mode().Type() }

// Info gives itself, as fs.DirEntry does.
func (i *Info) Info() (fs.FileInfo, error) { return i, nil }

type openFile struct {
	info *Info
	body io.ReadCloser // nil for an empty file
}

func (f *openFile) Stat() (fs.FileInfo, error) { return f.info, nil }

func (f *openFile) Read(b []byte) (int, error) {
	if f.body == nil {
		return 0, io.EOF
	}
	return f.body.Read(b)
}

func (f *openFile) Close() error {
	if f.body == nil {
		return nil
	}
	return f.body.Close()
}

type openDir struct {
	view *fsView
	name string
	info *Info
	tree Tree
	left []fs.DirEntry
	read bool
}

func (d *openDir) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *openDir) Close() error               { return nil }

func (d *openDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.name, Err: errors.New("is a directory")}
}

func (d *openDir) ReadDir(n int) ([]fs.DirEntry, error) {
	if !d.read {
		d.read = true
		for c, err := range d.tree.All(d.view.ctx) {
			if err != nil {
				return nil, &fs.PathError{Op: "readdir", Path: d.name, Err: err}
			}
			d.left = append(d.left, &Info{c.Name, c.Entry})
		}
	}
	if n <= 0 {
		n = len(d.left)
	} else if len(d.left) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(d.left))
	out := d.left[:n:n]
	d.left = d.left[n:]
	return out, nil
}
