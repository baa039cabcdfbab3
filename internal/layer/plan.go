package layer

import (
	"archive/tar"
	"context"
	"fmt"
	"strings"

	"github.com/inlaybuild/inlay/tree"
)

// plan turns trees and change sets into the entries of a tar, in their order.
type plan struct {
	out     *queue
	open    OpenBlob
	base    *tree.Tree // what is below; nil when that is unknown
	plain   bool
	links   map[string]*linked // path to the group that it is in
	written Written
}

// linked is a group of names of one inode.
type linked struct {
	first string // the name that was written with the body; "" before
	same  *linked
}

func (l *linked) find() *linked {
	for l.same != nil {
		l = l.same
	}
	return l
}

// unite makes one group of paths and of the groups that they are in.
func (p *plan) unite(prefix string, paths []string) {
	if p.links == nil {
		p.links = map[string]*linked{}
	}
	g := &linked{}
	for _, path := range paths {
		path = prefix + path
		if old := p.links[path]; old != nil {
			if old = old.find(); old != g {
				old.same = g
			}
			continue
		}
		p.links[path] = g
	}
}

// groups finds all groups of a change set.
func (p *plan) groups(ctx context.Context, cs tree.ChangeSet) error {
	if err := p.groupsBelow(ctx, "", cs.Root); err != nil {
		return err
	}
	for _, g := range cs.Links {
		p.unite("", g)
	}
	return nil
}

func (p *plan) groupsBelow(ctx context.Context, path string, d *tree.DirChange) error {
	for name, c := range d.All() {
		var err error
		switch c := c.(type) {
		case *tree.DirChange:
			err = p.groupsBelow(ctx, path+"/"+name, c)
		case tree.Put:
			if t, ok := c.Entry.(tree.Tree); ok {
				err = p.groupsOf(ctx, path+"/"+name, t)
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *plan) groupsOf(ctx context.Context, path string, t tree.Tree) error {
	groups, err := t.Links(ctx)
	for _, g := range groups {
		p.unite(path, g)
	}
	return err
}

// change plans the change of a directory, and tells whether it wrote anything.
// base is what is there before; nil when there is no directory, or none known.
func (p *plan) change(ctx context.Context, path string, d *tree.DirChange, base *tree.Tree) (bool, error) {
	before := p.written.Entries
	attr := d.Attr
	if attr == nil && p.base != nil {
		a := tree.Empty().Attr() // what one that has to be made gets
		if base != nil {
			a = base.Attr()
		}
		attr = &a
	}
	if attr != nil {
		if err := p.directory(path, *attr); err != nil {
			return false, err
		}
	}
	if d.Opaque {
		base = nil
		if err := p.marker(join(path, opaqueMarker)); err != nil {
			return false, err
		}
	}
	for name, c := range d.All() {
		if err := p.checkName(path, name); err != nil {
			return false, err
		}
		at := join(path, name)
		var err error
		switch c := c.(type) {
		case tree.Remove:
			err = p.marker(join(path, whiteoutPrefix+name))
		case tree.Put:
			err = p.put(ctx, at, c.Entry)
		case tree.Hardlink:
			err = p.hardlink(ctx, at, c.To)
		case *tree.DirChange:
			err = p.below(ctx, at, name, c, base)
		default:
			err = fmt.Errorf("%s: unknown change %T", at, c)
		}
		if err != nil {
			return false, err
		}
	}
	return p.written.Entries > before, nil
}

func (p *plan) below(ctx context.Context, at, name string, d *tree.DirChange, base *tree.Tree) error {
	var there *tree.Tree
	if base != nil {
		e, _, err := base.Get(ctx, name)
		if err != nil {
			return err
		}
		if t, ok := e.(tree.Tree); ok {
			there = &t
		}
	}
	wrote, err := p.change(ctx, at, d, there)
	if err == nil && !wrote {
		err = unwritable(at, "it is a directory of which neither attributes nor changes are known")
	}
	return err
}

func (p *plan) put(ctx context.Context, path string, e tree.Entry) error {
	t, ok := e.(tree.Tree)
	if !ok {
		return p.leaf(path, e)
	}
	return p.walk(ctx, path, t)
}

// tree plans a whole tree.
func (p *plan) tree(ctx context.Context, path string, t tree.Tree) error {
	if err := p.groupsOf(ctx, strings.TrimSuffix(path, "/"), t); err != nil {
		return err
	}
	return p.walk(ctx, path, t)
}

func (p *plan) walk(ctx context.Context, path string, t tree.Tree) error {
	if err := p.directory(path, t.Attr()); err != nil {
		return err
	}
	for c, err := range t.All(ctx) {
		if err == nil {
			err = p.checkName(path, c.Name)
		}
		if err != nil {
			return err
		}
		if err := p.put(ctx, join(path, c.Name), c.Entry); err != nil {
			return err
		}
	}
	return nil
}

func (p *plan) checkName(dir, name string) error {
	if err := tree.CheckName(name); err != nil {
		return unwritable(join(dir, name), "%s", err)
	}
	if !p.plain && strings.HasPrefix(name, whiteoutPrefix) {
		return unwritable(join(dir, name), "names that start with %q are markers in a layer: rename it, or export a plain tar", whiteoutPrefix)
	}
	return nil
}

func (p *plan) directory(path string, a tree.Attr) error {
	name := path[1:] + "/"
	if path == "/" {
		name = "./"
	}
	return p.add(path, &tar.Header{Typeflag: tar.TypeDir, Name: name}, a, nil)
}

// marker plans a whiteout or an opaque marker.
func (p *plan) marker(path string) error {
	return p.add(path, &tar.Header{Typeflag: tar.TypeReg}, tree.Attr{}, nil)
}

// hardlink plans a hardlink to a name of the layers below. Some who unpack give
// the inode the attributes of the last header that names it.
func (p *plan) hardlink(ctx context.Context, path, to string) error {
	a := tree.Attr{Mode: 0o644}
	if p.base != nil {
		e, err := p.base.Lookup(ctx, to)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		a = e.Attr()
	}
	return p.add(path, &tar.Header{Typeflag: tar.TypeLink, Linkname: strings.TrimPrefix(to, "/")}, a, nil)
}

func join(dir, name string) string {
	if dir == "/" {
		return dir + name
	}
	return dir + "/" + name
}
