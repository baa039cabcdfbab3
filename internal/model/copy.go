package model

import (
	"path"
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
)

// Copier copies into a file system, path by path.
type Copier struct {
	To      FS
	Options compose.Options
	// Overwritten is the paths that were not free, Replaced what gave way to
	// something of another kind.
	Overwritten []string
	Replaced    []compose.Replacement

	all    FS                                // the source, with what is not selected
	inodes map[*treetest.Item]*treetest.Item // of the source, to those of the copy
}

// Copy copies what paths of src lead to, as sections 3.1 to 3.10 of the rules
// say.
func (c *Copier) Copy(to string, src FS, from []string) error {
	c.inodes, c.all = map[*treetest.Item]*treetest.Item{}, src
	given := len(from)
	from, err := c.sources(src, from)
	if err != nil {
		return err
	}
	var found []string
	several := given > 1 || len(from) > 1
	for _, p := range from {
		at, err := src.resolve(p, !c.Options.KeepLink)
		switch {
		case err != nil:
			return err
		case src[at] == nil:
			return ErrMissing
		case c.Options.File && src.isDir(at):
			return ErrRefused
		case c.Options.Contents && !src.isDir(at):
			return ErrNotDir
		}
		found = append(found, at)
	}
	if c.Options.Existing == compose.ExistingReplace && slices.ContainsFunc(found, src.isDir) {
		if at, err := c.where(to); err == nil && c.To.isDir(at) {
			for _, p := range c.To.below(at) {
				delete(c.To, p)
			}
		}
	}
	for n, at := range found {
		if err := c.one(to, src, at, path.Base(clean(from[n])), several); err != nil {
			return err
		}
	}
	if c.Options.Existing == compose.ExistingForbid && len(c.Overwritten) > 0 {
		return ErrForbid
	}
	return nil
}

// sources gives the paths that patterns stand for.
func (c *Copier) sources(src FS, from []string) (paths []string, err error) {
	for _, p := range from {
		if !strings.ContainsAny(p, `*?[\`) {
			paths = append(paths, p)
			continue
		}
		found, err := src.Glob(p)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 && !c.Options.AllowEmpty {
			return nil, ErrMissing
		}
		paths = append(paths, found...)
	}
	return paths, nil
}

// where finds the destination. To an overlay links are things like others.
func (c *Copier) where(to string) (string, error) {
	if c.Options.Overlay {
		return clean(to), nil
	}
	return c.To.resolve(to, true)
}

// one copies the source at a path, which is called name.
func (c *Copier) one(to string, src FS, from, name string, several bool) error {
	at, err := c.where(to)
	if err != nil {
		return err
	}
	slash := strings.HasSuffix(to, "/") || strings.HasSuffix(to, "/.") || to == "." || to == ""
	if src.isDir(from) {
		if src, err = src.selected(from, c.Options); err != nil {
			return err
		}
		if !c.To.isDir(at) {
			return c.put(at, src, from, true)
		}
		return c.contents(at, src, from)
	}
	if several || slash || at == "/" || !c.Options.Overlay && c.To.isDir(at) {
		if c.To[at] != nil && !c.To.isDir(at) && !c.Options.Overlay {
			return ErrNotDir
		}
		at = path.Join(at, name)
	}
	return c.put(at, src, from, true)
}

// parents makes the directories that lead to p.
func (c *Copier) parents(p string) error {
	up := path.Dir(p)
	if c.To.isDir(up) {
		return nil
	}
	if err := c.parents(up); err != nil {
		return err
	}
	if c.To[up] != nil && !c.Options.Overlay {
		return ErrNotDir
	}
	a := tree.Attr{Mode: 0o755, ModTime: c.Options.Epoch}
	if c.Options.Owner != nil {
		a.UID, a.GID = c.Options.Owner.UID, c.Options.Owner.GID
	}
	c.set(up, &treetest.Item{Kind: tree.KindDirectory, Attr: a})
	return nil
}

// set makes p stand for n; what stood there is gone with all that it held.
func (c *Copier) set(p string, n *treetest.Item) {
	if was := c.To[p]; was != nil {
		c.Overwritten = append(c.Overwritten, p)
		if was.Kind != n.Kind {
			gone := int64(1 + len(c.To.below(p)))
			c.Replaced = append(c.Replaced, compose.Replacement{Path: p, Was: was.Kind, Now: n.Kind, Entries: gone})
		}
	}
	c.To.remove(p)
	c.To[p] = n
}

// put copies what src has at from to p; root says that it is the root of the
// copy, whose path is resolved already.
func (c *Copier) put(p string, src FS, from string, root bool) error {
	if p == "/" {
		return ErrRefused
	}
	if err := c.parents(p); err != nil {
		return err
	}
	n := *src[from]
	n.Attr = attr(c.Options, n)
	if n.Kind != tree.KindDirectory {
		if c.inodes[src[from]] == nil || len(c.all.same(src[from])) == 1 {
			c.inodes[src[from]] = &n
		}
		c.set(p, c.inodes[src[from]])
		return nil
	}
	if at := c.To[p]; at != nil && at.Kind == tree.KindSymlink && !c.Options.Overlay && !root {
		if q, err := c.To.resolve(p, true); err == nil && c.To.isDir(q) {
			p = q
		}
	}
	if !c.To.isDir(p) {
		c.set(p, &n)
	}
	c.To[p] = &n
	return c.contents(p, src, from)
}

// contents copies what the directory from holds into the directory p.
func (c *Copier) contents(p string, src FS, from string) error {
	for _, name := range src.names(from) {
		if err := c.put(path.Join(p, name), src, path.Join(from, name), false); err != nil {
			return err
		}
	}
	return nil
}

// attr gives what the options make of an item's attributes.
func attr(o compose.Options, n treetest.Item) tree.Attr {
	a := n.Attr
	if o.Owner != nil {
		a.UID, a.GID = o.Owner.UID, o.Owner.GID
	}
	if o.Mode != nil && n.Kind != tree.KindSymlink {
		a.Mode = o.Mode.Of(a.Mode, n.Kind == tree.KindDirectory)
	}
	if o.Time != nil {
		a.ModTime = *o.Time
	}
	return a
}
