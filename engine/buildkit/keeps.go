package buildkit

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"path"
	"strings"

	"github.com/inlaybuild/inlay/internal/shim"
	"github.com/inlaybuild/inlay/tree"
)

// What a tree can have is more than daemons keep. A layer that a daemon unpacks
// loses some of it without a word; what a process can make instead, it makes
// (errUnwritable); the rest no daemon keeps (errUnkept).

// errUnwritable is the error of a tree that a daemon would not unpack as it is.
var errUnwritable = errors.New("a layer cannot hold it")

// errUnkept is the error of what no daemon keeps.
var errUnkept = errors.New("no BuildKit daemon keeps it")

// The times that containerd keeps as it unpacks a layer; it replaces others.
const (
	minUnpacked = 0
	maxUnpacked = math.MaxInt64 / 1_000_000_000
)

// inLayer tells why a daemon that unpacks a layer with an entry does not get it as
// it is.
func inLayer(p string, e tree.Entry) error {
	refuse := func(why string) error {
		return fmt.Errorf("%w: %s %s", errUnwritable, p, why)
	}
	a := e.Attr()
	switch {
	case strings.HasPrefix(path.Base(p), ".wh."):
		return refuse("has a name that stands for something else there")
	case isWhiteout(e):
		return refuse("is a character device 0:0")
	case e.Kind() == tree.KindSocket:
		return refuse("is a socket")
	case a.ModTime.Sec < minUnpacked || a.ModTime.Sec >= maxUnpacked:
		return refuse("was modified at a time that is replaced there")
	}
	for name := range a.Xattrs.All() {
		if strings.HasPrefix(name, "trusted.") {
			return refuse("has an extended attribute " + name)
		}
	}
	return nil
}

// unpacks tells why a daemon that unpacks a layer with a tree does not get the tree.
func unpacks(ctx context.Context, t tree.Tree) error {
	for it, err := range tree.Walk(ctx, t, tree.WalkOptions{}) {
		if err != nil {
			return err
		}
		if it.Path == "/" {
			continue // the root's attributes are given when it is mounted
		}
		if err := inLayer(it.Path, it.Entry); err != nil {
			return err
		}
		if t, ok := it.Entry.(tree.Tree); ok && t.Len() > 0 && handsOn(t.Attr()) {
			return fmt.Errorf("%w: %s %s", errUnwritable, it.Path, aclHandsOn)
		}
	}
	return nil
}

const aclHandsOn = "has an access control list that what is made in it is given, too"

// handsOn tells whether what a daemon makes in a directory gets access rights by that.
func handsOn(a tree.Attr) bool {
	_, ok := a.Xattrs.Get("system.posix_acl_default")
	return ok
}

// keeps tells of changes that leave something that no daemon keeps.
func keeps(list shim.Changes) error {
	for _, c := range list {
		var p string
		var a tree.Attr
		switch c := c.(type) {
		case shim.Put:
			if isWhiteout(c.Entry) {
				return &fs.PathError{Op: "make", Path: c.Path, Err: fmt.Errorf("%w: a character device 0:0 is how an overlay marks what is removed", errUnkept)}
			}
			p, a = c.Path, c.Entry.Attr()
		case shim.MakeDir:
			p, a = c.Path, c.Attr
		case shim.SetAttr:
			p, a = c.Path, c.Attr
		}
		if err := keepsAttr(p, a); err != nil {
			return err
		}
	}
	return nil
}

// isWhiteout tells whether an overlay takes an entry for a removed name.
func isWhiteout(e tree.Entry) bool {
	d, ok := e.(tree.Device)
	return ok && !d.Block && d.Major == 0 && d.Minor == 0
}

// keepsAttr tells of attributes that no daemon keeps.
func keepsAttr(p string, a tree.Attr) error {
	for name := range a.Xattrs.All() {
		if strings.HasPrefix(name, "trusted.") {
			return &fs.PathError{Op: "make", Path: p, Err: fmt.Errorf("its extended attribute %s: %w", name, errUnkept)}
		}
	}
	return nil
}
