package model

import (
	"maps"
	"path"
	"strings"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
)

// Merge lays another file system over f.
func (f FS) Merge(over FS) error {
	c := Copier{To: f, Options: compose.Options{Overlay: true}}
	return c.layOver("/", over)
}

// layOver lays the root of a file system over the directory p, which takes its
// attributes.
func (c *Copier) layOver(p string, over FS) error {
	c.inodes, c.all = map[*treetest.Item]*treetest.Item{}, over
	c.To[p] = over["/"]
	return c.contents(p, over, "/")
}

// Apply changes f as a change set says.
func (f FS) Apply(c tree.ChangeSet) error {
	links := map[string]string{}
	if c.Root != nil {
		if err := f.apply("/", c.Root, links); err != nil {
			return err
		}
	}
	for p, to := range links {
		if f[clean(to)] == nil || f.isDir(clean(to)) {
			return ErrMissing
		}
		f[p] = f[clean(to)]
	}
	for _, group := range c.Links {
		one := f[clean(group[0])]
		for _, p := range group {
			for _, q := range f.same(f[clean(p)]) {
				f[q] = one
			}
		}
	}
	return nil
}

func (f FS) apply(at string, c *tree.DirChange, links map[string]string) error {
	if c.Opaque {
		for _, p := range f.below(at) {
			delete(f, p)
		}
	}
	if c.Attr != nil {
		f[at] = &treetest.Item{Kind: tree.KindDirectory, Attr: *c.Attr}
	}
	for name, ch := range c.All() {
		p := path.Join(at, name)
		if _, isDir := ch.(*tree.DirChange); !isDir || !f.isDir(p) {
			if put, ok := ch.(tree.Put); !ok || put.Entry.Kind() != tree.KindDirectory || !f.isDir(p) {
				f.remove(p)
			}
		}
		switch ch := ch.(type) {
		case tree.Hardlink:
			links[p] = ch.To
		case tree.Put:
			t, isTree := ch.Entry.(tree.Tree)
			if !isTree {
				i := treetest.ItemOf(p, ch.Entry)
				f[p] = &i
				continue
			}
			c := Copier{To: f, Options: compose.Options{Overlay: true}}
			if err := c.layOver(p, New(treetest.List(t))); err != nil {
				return err
			}
		case *tree.DirChange:
			if f[p] == nil {
				f[p] = &treetest.Item{Kind: tree.KindDirectory, Attr: tree.Empty().Attr()}
			}
			if err := f.apply(p, ch, links); err != nil {
				return err
			}
		}
	}
	return nil
}

// Remove takes away what patterns match, and paths lead to.
func (f FS) Remove(patterns []string) error {
	was := maps.Clone(f)
	for _, p := range patterns {
		found := []string{p}
		if strings.ContainsAny(p, `*?[\`) {
			var err error
			if found, err = was.Glob(p); err != nil {
				return err
			}
		}
		for _, q := range found {
			at, err := f.resolve(q, false)
			switch {
			case err == ErrMissing || err == ErrNotDir || err == nil && f[at] == nil:
				continue
			case err != nil:
				return err
			case at == "/":
				return ErrRefused
			}
			f.remove(at)
		}
	}
	return nil
}

// target finds the path that something gets which is called name: where the
// parents of to lead, and below it if to ends in a slash.
func (f FS) target(to, name string) (string, error) {
	if !strings.HasSuffix(to, "/") {
		return f.resolve(to, false)
	}
	at, err := f.resolve(to, true)
	return path.Join(at, path.Base(clean(name))), err
}

// Rename gives what from leads to the path to. Symlinks that the paths end in
// are not followed.
func (c *Copier) Rename(from, to string) error {
	f := c.To
	src, err := f.resolve(from, false)
	if err != nil {
		return err
	}
	dst, err := f.target(to, from)
	switch {
	case err != nil:
		return err
	case f[src] == nil:
		return ErrMissing
	case src == dst:
		return nil
	case src == "/" || dst == "/" || strings.HasPrefix(dst, src+"/"):
		return ErrRefused
	}
	moved := FS{dst: f[src]}
	for _, p := range f.below(src) {
		moved[dst+strings.TrimPrefix(p, src)] = f[p]
	}
	f.remove(src)
	if err := c.parents(dst); err != nil {
		return err
	}
	c.set(dst, moved[dst])
	maps.Copy(f, moved)
	return c.forbidden()
}

// Hardlink makes at another name of the file that target leads to.
func (c *Copier) Hardlink(target, at string) error {
	f := c.To
	src, err := f.resolve(target, false)
	if err != nil {
		return err
	}
	dst, err := f.target(at, target)
	switch {
	case err != nil:
		return err
	case f[src] == nil:
		return ErrMissing
	case f.isDir(src) || dst == "/" || strings.HasPrefix(src, dst+"/"):
		return ErrRefused
	case f[src] == f[dst]:
		return nil
	}
	if err := c.parents(dst); err != nil {
		return err
	}
	c.set(dst, f[src])
	return c.forbidden()
}

func (c *Copier) forbidden() error {
	if c.Options.Existing == compose.ExistingForbid && len(c.Overwritten) > 0 {
		return ErrForbid
	}
	return nil
}

// SetAttr changes the attributes of what paths lead to and patterns match, and
// of all that is below it, unless shallow is set. An inode has one set of
// attributes, whatever its names are.
func (f FS) SetAttr(paths []string, o compose.Options, shallow bool) error {
	inodes := map[*treetest.Item]bool{}
	for _, p := range paths {
		found := []string{}
		if strings.ContainsAny(p, `*?[\`) {
			globbed, err := f.Glob(p)
			if err != nil {
				return err
			}
			for _, q := range globbed {
				at, err := f.resolve(q, false)
				if err != nil {
					return err
				}
				found = append(found, at)
			}
		} else if at, err := f.resolve(p, true); err != nil {
			return err
		} else if f[at] == nil {
			return ErrMissing
		} else {
			found = append(found, at)
		}
		for _, at := range found {
			inodes[f[at]] = true
			for _, q := range f.below(at) {
				inodes[f[q]] = inodes[f[q]] || !shallow
			}
		}
	}
	for n, change := range inodes {
		if change {
			n.Attr = attr(o, *n)
		}
	}
	return nil
}
