package layer_test

import (
	"context"
	"errors"
	"path"
	"slices"
	"strings"
	"syscall"

	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
)

// astray tells whether a path led to nothing, through what is no directory, or
// through too many symlinks, or got longer and longer.
func astray(err error) bool {
	return is(err, syscall.ENOENT) || is(err, syscall.ENOTDIR) || is(err, syscall.ELOOP) || is(err, syscall.EMLINK) ||
		is(err, syscall.ENAMETOOLONG)
}

// is tells whether the error is one of the system's; a program tells it by its
// text.
func is(err error, number syscall.Errno) bool {
	return errors.Is(err, number) || strings.Contains(err.Error(), number.Error())
}

// oneLetter gives text with the one accent that generators know composed.
func oneLetter(s string) string { return strings.ReplaceAll(s, "e\u0301", "é") }

// accented gives the names that can be written with other letters, both ways.
func (c *comparison) accented() (out []string) {
	for _, i := range append(slices.Clone(c.want), c.below[len(c.below)-1]...) {
		before, after, ok := strings.Cut(i.Path, "e\u0301")
		if rest, _, _ := strings.Cut(after, "/"); ok {
			p := before + "e\u0301" + rest
			out = append(out, p, oneLetter(p))
		}
	}
	return out
}

// setGroups gives the groups of set-group-ID directories in which a path lies,
// in one layer or another.
func (c *comparison) setGroups(p string) (out []uint32) {
	for _, l := range c.stack {
		for _, i := range l {
			if i.Kind == tree.KindDirectory && i.Attr.Mode&0o2000 != 0 && i.Path != p && atOrBelow(p, []string{i.Path}) {
				out = append(out, i.Attr.GID)
			}
		}
	}
	return out
}

// linksBelow tells whether there is a hardlink to a layer below.
func (c *comparison) linksBelow() bool {
	for _, l := range c.stack {
		for k, i := range l {
			if i.Same != "" && !says(l[:k], i.Same) {
				return true
			}
		}
	}
	return false
}

// linkedForward gives the hardlinks that come before their target, or that
// something replaces before there is one.
func (c *comparison) linkedForward() (out []string) {
	for n, l := range c.stack {
		for k, i := range l {
			if i.Same != "" && !says(l[:k], i.Same) && (says(l[k:], i.Same) || c.below[n].Find(i.Same) == nil || takesAway(l, i.Same)) {
				out = append(out, i.Path)
			}
		}
	}
	return out
}

// takesAway tells whether there is a whiteout or an opaque marker for a path
// below, or for what it lies in.
func takesAway(l treetest.Layer, p string) bool {
	for _, i := range l {
		gone, ok := i.Whiteout()
		if dir, opaque := i.Opaque(); ok && atOrBelow(p, []string{gone}) || opaque && p != dir && atOrBelow(p, []string{dir}) {
			return true
		}
	}
	return false
}

// says tells whether there is an entry for a path.
func says(l treetest.Layer, p string) bool {
	for _, i := range l {
		if i.Path == p {
			return true
		}
	}
	return false
}

// writtenInto tells whether the last layer that has an entry for a directory or
// for something below it has none for itself.
func (c *comparison) writtenInto(p string) bool {
	for n := len(c.stack) - 1; n >= 0; n-- {
		if says(c.stack[n], p) {
			return false
		}
		for _, i := range c.stack[n] {
			if atOrBelow(i.Path, []string{p}) {
				return true
			}
		}
	}
	return false
}

// had tells whether an entry for a path had an extended attribute.
func (c *comparison) had(p, name, value string) bool {
	for _, l := range c.stack {
		for _, i := range l {
			if v, ok := i.Attr.Xattrs.Get(name); ok && v == value && i.Path == p && i.Kind == tree.KindDirectory {
				return true
			}
		}
	}
	return false
}

// addedThenWhitedOut gives the names of which a layer has a whiteout behind an
// entry at or below them.
func (c *comparison) addedThenWhitedOut() (out []string) {
	for _, l := range c.stack {
		for k, i := range l {
			p, ok := i.Whiteout()
			for _, before := range l[:k] {
				if ok && atOrBelow(before.Path, []string{p}) {
					out = append(out, p)
				}
			}
		}
	}
	return out
}

// whitedOutThenDirectory gives the names of which a layer has a whiteout before
// it makes directories of them, with an entry or without.
func (c *comparison) whitedOutThenDirectory() (out []string) {
	for _, l := range c.stack {
		for k, i := range l {
			p, ok := i.Whiteout()
			for _, later := range l[k:] {
				if ok && atOrBelow(later.Path, []string{p}) && (later.Path != p || later.Kind == tree.KindDirectory) {
					out = append(out, p)
				}
			}
		}
	}
	return out
}

// otherThenDirectory gives the names that a layer makes directories of after it
// made something else of them.
func (c *comparison) otherThenDirectory() (out []string) {
	for _, l := range c.stack {
		for k, i := range l {
			for _, later := range l[k:] {
				if i.Kind != tree.KindDirectory && later.Path == i.Path && later.Kind == tree.KindDirectory {
					out = append(out, i.Path)
				}
			}
		}
	}
	return out
}

// belowOpaqueRoot gives what is below layers with an opaque marker of the root.
func (c *comparison) belowOpaqueRoot() (out []string) {
	for n, l := range c.stack {
		for _, i := range l {
			for _, b := range c.below[n] {
				if dir, ok := i.Opaque(); ok && dir == "/" && path.Dir(b.Path) == "/" && b.Path != "/" {
					out = append(out, b.Path)
				}
			}
		}
	}
	return out
}

// onlyMarked gives the directories below which a layer has only markers.
func (c *comparison) onlyMarked() (out []string) {
	for _, l := range c.stack {
		for _, i := range l {
			for p := path.Dir(i.Path); i.Marker() && p != "/"; p = path.Dir(p) {
				if !slices.ContainsFunc(l, func(o treetest.Item) bool { return !o.Marker() && atOrBelow(o.Path, []string{p}) }) {
					out = append(out, p)
				}
			}
		}
	}
	return out
}

// impliedThenOpaque gives the directories that a layer implied before an opaque
// marker in a directory above.
func (c *comparison) impliedThenOpaque() (out []string) {
	for _, l := range c.stack {
		for k, i := range l {
			dir, ok := i.Opaque()
			for _, before := range l[:k] {
				for p := path.Dir(before.Path); ok && p != dir && atOrBelow(p, []string{dir}) && p != "/"; p = path.Dir(p) {
					if !says(l[:k], p) {
						out = append(out, p)
					}
				}
			}
		}
	}
	return out
}

// directoryThenNot gives the entries of directories that come before one of
// another kind at or above them, and what that leads to.
func (c *comparison) directoryThenNot() (out []string) {
	for n, l := range c.stack {
		for k, i := range l {
			for _, later := range l[k:] {
				if i.Kind == tree.KindDirectory && later.Kind != i.Kind && !later.Marker() && atOrBelow(i.Path, []string{later.Path}) {
					out = append(out, later.Path)
					if to, err := l.On(c.below[n]); err == nil {
						if r, err := tree.Resolve(context.Background(), to.MustTree(), i.Path, tree.FollowAll); err == nil {
							out = append(out, r.Path)
						}
					}
				}
			}
		}
	}
	return out
}

// implied is a parent that a layer has no entry for.
type implied struct {
	layer int
	path  string
	whole string // the parent that it leads to
}

// impliedOver gives the implied parents where a kind of entry stands below; nil
// gives all.
func (c *comparison) impliedOver(kind func(tree.Kind) bool) (out []implied) {
	for n, l := range c.stack {
		for k, i := range l {
			for p := path.Dir(i.Path); p != "/"; p = path.Dir(p) {
				if b := c.below[n].Find(p); (kind == nil || b != nil && kind(b.Kind)) && !says(l[:k], p) {
					out = append(out, implied{n, p, path.Dir(i.Path)})
				}
			}
		}
	}
	return out
}

// impliedBelowOther gives the implied parents that are in a layer below no
// directory, or have no directory as a parent there.
func (c *comparison) impliedBelowOther() (out []implied) {
	for _, i := range c.impliedOver(nil) {
		for _, l := range c.stack[:i.layer] {
			for _, e := range l {
				if e.Kind != tree.KindDirectory && atOrBelow(i.path, []string{e.Path}) {
					out = append(out, i)
				}
			}
		}
	}
	return out
}

// throughLinks gives the implied parents where a symlink stands below, and where
// that leads, in the tree below and as the layer changes it; also as it would
// with ".." taken from the text of targets, as some do.
func (c *comparison) throughLinks() (out []string) {
	for _, i := range c.impliedOver(func(k tree.Kind) bool { return k == tree.KindSymlink }) {
		below := c.below[i.layer]
		after, err := c.stack[i.layer].On(below)
		if err != nil {
			return []string{"/"}
		}
		out = append(out, i.path)
		at := i.whole
		for _, t := range []treetest.Listing{below, after} {
			r, err := tree.Resolve(context.Background(), t.MustTree(), at, tree.FollowAll)
			if err != nil {
				return []string{"/"}
			}
			at = r.Path
			out = append(out, made(t, at))
			for _, h := range r.Hops {
				to := path.Clean(h.Target)
				if !path.IsAbs(to) {
					to = path.Join(path.Dir(h.Path), to)
				}
				out = append(out, h.Path, made(t, to))
			}
		}
	}
	return out
}

// made gives what has to be made for a path to be there: the path, or the first
// parent that is missing.
func made(l treetest.Listing, p string) string {
	for p != "/" && l.Find(path.Dir(p)) == nil {
		p = path.Dir(p)
	}
	return p
}
