package buildkit

import (
	"bytes"
	"context"
	"math"
	"os"
	"path"
	"time"
	"unicode/utf8"

	"github.com/moby/buildkit/client/llb"

	"github.com/inlaybuild/inlay/tree"
)

// A small tree goes to the daemon within the definition, as operations that make its
// directories and files, which saves the daemon from asking for an image.

// How small a tree is that goes that way.
const (
	inlineEntries = 24
	inlineBytes   = 1 << 20
)

// serve gives a tree of which all contents are here as a state, whatever way it goes
// to the daemon: inline tells whether it is by operations.
func (r *Remote) serve(ctx context.Context, t tree.Tree) (s llb.State, inline bool, err error) {
	s, inline, err = r.inline(ctx, t)
	if !inline && err == nil {
		s, err = r.uploads.state(ctx, t)
	}
	return s, inline, err
}

// partsOfSeconds tells which time of a tree has parts of seconds that a layer of what operations
// make does not have; "" if none has.
func partsOfSeconds(ctx context.Context, t tree.Tree) (string, error) {
	for it, err := range tree.Walk(ctx, t, tree.WalkOptions{}) {
		if err != nil {
			return "", err
		}
		if it.Path != "/" && it.Entry.Attr().ModTime.Nsec != 0 {
			return "the time of " + it.Path + " has parts of a second", nil
		}
	}
	return "", nil
}

// inline gives a tree as operations; ok is false if it is too large for that, or has
// what operations do not make: extended attributes, the high bits of modes, and
// kinds and names of some sorts.
func (r *Remote) inline(ctx context.Context, t tree.Tree) (s llb.State, ok bool, err error) {
	if t.Count() > inlineEntries || t.Bytes() > inlineBytes || t.Attr() != tree.Empty().Attr() {
		return s, false, nil
	}
	groups, err := t.Links(ctx)
	if err != nil || len(groups) > 0 {
		return s, false, err
	}
	in := &inlining{remote: r}
	if ok, err := in.directory(ctx, "/", t); !ok || err != nil {
		return s, false, err
	}
	if in.action == nil {
		return s, false, nil
	}
	for _, d := range in.dirs {
		// Copying nothing into a directory gives it a time, and nothing else.
		in.action = in.action.Copy(nothing, "/nothing", d.path, &llb.CopyInfo{CopyDirContentsOnly: true, CreatedTime: &d.time})
	}
	return llb.Scratch().File(in.action, llb.WithCustomName("inlay: put")), true, nil
}

// nothing is a directory without anything in it.
var nothing = llb.Scratch().File(llb.Mkdir("/nothing", 0o755, llb.WithCreatedTime(time.Unix(0, 0))), llb.WithCustomName("inlay: nothing"))

// inlining is a tree that becomes operations.
type inlining struct {
	remote *Remote
	action *llb.FileAction
	dirs   []timed // whose times are set at last
}

type timed struct {
	path string
	time time.Time
}

func (in *inlining) directory(ctx context.Context, p string, t tree.Tree) (bool, error) {
	for c, err := range t.All(ctx) {
		if err != nil {
			return false, err
		}
		at := path.Join(p, c.Name)
		when, ok := operable(c)
		if !ok {
			return false, nil
		}
		a := c.Entry.Attr()
		owner := llb.WithUIDGID(int(a.UID), int(a.GID))
		switch e := c.Entry.(type) {
		case tree.Tree:
			in.add(llb.Mkdir(at, mode(a), owner), func() { in.action = in.action.Mkdir(at, mode(a), owner) })
			if ok, err := in.directory(ctx, at, e); !ok || err != nil {
				return false, err
			}
			in.dirs = append(in.dirs, timed{at, when})
		case tree.Symlink:
			o := llb.WithCreatedTime(when)
			in.add(llb.Symlink(e.Target, at, owner, o), func() { in.action = in.action.Symlink(e.Target, at, owner, o) })
		case tree.File:
			b, err := in.content(ctx, e)
			if err != nil {
				return false, err
			}
			o := llb.WithCreatedTime(when)
			in.add(llb.Mkfile(at, mode(a), b, owner, o), func() { in.action = in.action.Mkfile(at, mode(a), b, owner, o) })
		default:
			return false, nil
		}
	}
	return true, nil
}

// add makes an operation the first one, or does what appends it.
func (in *inlining) add(first *llb.FileAction, further func()) {
	if in.action == nil {
		in.action = first
		return
	}
	further()
}

func (in *inlining) content(ctx context.Context, f tree.File) ([]byte, error) {
	if f.Size == 0 {
		return nil, nil
	}
	r, err := in.remote.local.OpenContent(ctx, f.Content)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b := bytes.NewBuffer(make([]byte, 0, f.Size+bytes.MinRead))
	_, err = b.ReadFrom(r)
	return b.Bytes(), err
}

// mode gives the mode of a file or a directory.
func mode(a tree.Attr) os.FileMode { return os.FileMode(a.Mode) }

// operable tells whether operations can make an entry, and gives its time.
func operable(c tree.Child) (time.Time, bool) {
	a := c.Entry.Attr()
	s, isLink := c.Entry.(tree.Symlink)
	when := time.Unix(a.ModTime.Sec, int64(a.ModTime.Nsec))
	ok := a.Xattrs.IsEmpty() && (isLink || a.Mode&0o7000 == 0) && utf8.ValidString(c.Name) && utf8.ValidString(s.Target) &&
		a.UID <= math.MaxInt32 && a.GID <= math.MaxInt32 &&
		a.ModTime.Sec > -1<<32 && a.ModTime.Sec < 1<<32 && when.UnixNano() != -1 // which stands for none
	return when, ok
}
