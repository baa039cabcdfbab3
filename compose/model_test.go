package compose_test

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/tree"
)

// The executable specification: a small, slow file system in memory that is
// changed in place, one name after the other. A node that is not a directory is
// an inode: several names may point at it.
type node struct {
	entry tree.Entry       // of a directory only its attributes count
	kids  map[string]*node // nil for what is not a directory
	names int              // of the inode: one that has several keeps them in a copy
}

func (n *node) isDir() bool { return n != nil && n.kids != nil }

func newDir(a tree.Attr) *node {
	return &node{entry: tree.Empty().With(a), kids: map[string]*node{}}
}

func (n *node) list() []string {
	var out []string
	for name := range n.kids {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func (n *node) count() int64 {
	c := int64(0)
	for _, k := range n.kids {
		c += 1 + k.count()
	}
	return c
}

func modelOf(t tree.Tree) *node {
	root := newDir(t.Attr())
	inodes := map[*tree.Link]*node{}
	for it, err := range tree.Walk(context.Background(), t, tree.WalkOptions{}) {
		if err != nil {
			panic(err)
		}
		if it.Path == "/" {
			continue
		}
		n := &node{entry: it.Entry}
		if it.Entry.Kind() == tree.KindDirectory {
			n = newDir(it.Entry.Attr())
		}
		if it.Link != nil {
			if inodes[it.Link] == nil {
				inodes[it.Link] = n
			}
			n = inodes[it.Link]
		}
		n.names++
		at := root
		dir, name := path.Split(it.Path)
		for _, p := range strings.FieldsFunc(dir, func(r rune) bool { return r == '/' }) {
			at = at.kids[p]
		}
		at.kids[name] = n
	}
	return root
}

func (n *node) tree() tree.Tree {
	d := tree.NewDraft(tree.Empty().With(n.entry.Attr()))
	groups := map[*node][]string{}
	n.build(d, "", groups)
	for _, g := range groups {
		d.Link(g...)
	}
	t, err := d.Tree(context.Background())
	if err != nil {
		panic(err)
	}
	return t
}

func (n *node) build(d *tree.Draft, at string, groups map[*node][]string) {
	for name, k := range n.kids {
		if k.isDir() {
			k.build(d.MakeDir(name, k.entry.Attr()), at+"/"+name, groups)
			continue
		}
		d.Put(name, k.entry)
		groups[k] = append(groups[k], at+"/"+name)
	}
}

// spot is where a path leads: the directories from the root to it, and what is
// missing below the last of them.
type spot struct {
	dirs    []*node
	names   []string
	last    *node // not a directory, or nil
	missing []string
}

func (s spot) node() *node {
	switch {
	case len(s.missing) > 0:
		return nil
	case s.last != nil:
		return s.last
	}
	return s.dirs[len(s.dirs)-1]
}

func (s spot) path() string {
	return "/" + strings.Join(append(slices.Clone(s.names), s.missing...), "/")
}

var (
	errModelLoop   = errors.New("loop")
	errModelNotDir = errors.New("not a directory")
	errModelMissed = errors.New("missing in between")
)

// resolve follows a clean path from here, as a process whose root is root.
func (root *node) resolve(p string, parentsOnly bool) (spot, error) {
	s := spot{dirs: []*node{root}}
	links := 0
	todo := strings.Split(p, "/")
	for len(todo) > 0 {
		name := todo[0]
		todo = todo[1:]
		if name == "" && len(todo) > 0 {
			continue
		}
		if s.last != nil {
			return s, errModelNotDir
		}
		if name == "" || name == "." || name == ".." {
			if len(s.missing) > 0 && name != "" {
				return s, errModelMissed
			}
			if name == ".." && len(s.dirs) > 1 {
				s.dirs, s.names = s.dirs[:len(s.dirs)-1], s.names[:len(s.names)-1]
			}
			continue
		}
		if len(s.missing) > 0 {
			s.missing = append(s.missing, name)
			continue
		}
		k := s.dirs[len(s.dirs)-1].kids[name]
		switch {
		case k == nil:
			s.missing = append(s.missing, name)
			continue
		case k.isDir():
			s.dirs, s.names = append(slices.Clone(s.dirs), k), append(slices.Clone(s.names), name)
			continue
		}
		l, isLink := k.entry.(tree.Symlink)
		if !isLink || parentsOnly && len(todo) == 0 {
			s.last, s.names = k, append(slices.Clone(s.names), name)
			continue
		}
		if links++; links > 40 {
			return s, errModelLoop
		}
		if l.Target == "" {
			return s, errModelMissed
		}
		if l.Target[0] == '/' {
			s.dirs, s.names = s.dirs[:1], nil
		}
		todo = append(strings.Split(l.Target, "/"), todo...)
	}
	return s, nil
}

// copier copies into root, name by name.
type copier struct {
	root     *node
	o        compose.Options
	inodes   map[*node]*node // of the source, to those of the result
	forbid   []string
	replaced []compose.Replacement
}

func modelCopy(dst *node, to string, src *node, from []string, o compose.Options) (*copier, error) {
	c := &copier{root: dst, o: o, inodes: map[*node]*node{}}
	type source struct {
		n    *node
		name string
	}
	var sources []source
	for _, p := range from {
		s, err := src.resolve(path.Clean("/"+p), o.KeepLink)
		if err != nil {
			return nil, err
		}
		if s.node() == nil || o.Contents && !s.node().isDir() {
			return nil, errModelMissed
		}
		sources = append(sources, source{s.node(), path.Base(path.Clean("/" + p))})
	}
	dirs := slices.ContainsFunc(sources, func(s source) bool { return s.n.isDir() })
	if o.Existing == compose.ExistingReplace && dirs {
		if s, err := c.where(to); err == nil && s.node().isDir() {
			clear(s.node().kids)
		}
	}
	for _, s := range sources {
		into := !s.n.isDir() && (strings.HasSuffix(to, "/") || len(sources) > 1)
		if err := c.one(to, s.n, s.name, into); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// where finds the destination. As an overlay, links are things like others.
func (c *copier) where(to string) (spot, error) {
	clean := path.Clean("/" + to)
	if !c.o.Overlay {
		return c.root.resolve(clean, false)
	}
	s := spot{dirs: []*node{c.root}}
	for _, name := range strings.FieldsFunc(clean, func(r rune) bool { return r == '/' }) {
		k := s.dirs[len(s.dirs)-1].kids[name]
		if len(s.missing) == 0 && k.isDir() {
			s.dirs, s.names = append(s.dirs, k), append(s.names, name)
		} else {
			s.missing = append(s.missing, name)
		}
	}
	return s, nil
}

func (c *copier) one(to string, n *node, name string, into bool) error {
	s, err := c.where(to)
	if err != nil {
		return err
	}
	if !c.o.Overlay && !n.isDir() && s.node().isDir() || s.path() == "/" && !n.isDir() {
		into = true
	}
	if into {
		if s.last != nil {
			return errModelNotDir
		}
		at := c.parents(s, len(s.missing))
		return c.put(at, path.Join(s.path(), name), n)
	}
	if n.isDir() && s.node().isDir() {
		return c.contents(s.node(), s.path(), n)
	}
	if s.last != nil {
		return c.put(s.dirs[len(s.dirs)-1], s.path(), n)
	}
	if len(s.missing) == 0 { // an overlay's file onto a directory
		return c.put(s.dirs[len(s.dirs)-2], s.path(), n)
	}
	at := c.parents(s, len(s.missing)-1)
	return c.put(at, s.path(), n)
}

// parents makes the first n missing directories.
func (c *copier) parents(s spot, n int) *node {
	at, p := s.dirs[len(s.dirs)-1], "/"+strings.Join(s.names, "/")
	for _, name := range s.missing[:n] {
		p = path.Join(p, name)
		a := tree.Attr{Mode: 0o755, ModTime: c.o.Epoch}
		if c.o.Owner != nil {
			a.UID, a.GID = c.o.Owner.UID, c.o.Owner.GID
		}
		d := newDir(a)
		c.replace(at, p, d)
		at = d
	}
	return at
}

// replace makes the name at the end of p stand for n.
func (c *copier) replace(at *node, p string, n *node) {
	name := path.Base(p)
	if was := at.kids[name]; was != nil {
		c.forbid = append(c.forbid, p)
		if was.entry.Kind() != n.entry.Kind() {
			c.replaced = append(c.replaced, compose.Replacement{Path: p, Was: was.entry.Kind(), Now: n.entry.Kind(), Entries: 1 + was.count()})
		}
	}
	at.kids[name] = n
}

func (c *copier) attr(n *node) tree.Attr {
	a := n.entry.Attr()
	if c.o.Owner != nil {
		a.UID, a.GID = c.o.Owner.UID, c.o.Owner.GID
	}
	if c.o.Time != nil {
		a.ModTime = *c.o.Time
	}
	if c.o.Mode != nil && n.entry.Kind() != tree.KindSymlink {
		a.Mode = c.o.Mode.Of(a.Mode, n.isDir())
	}
	return a
}

func (c *copier) put(at *node, p string, n *node) error {
	if p == "/" {
		return fmt.Errorf("the root")
	}
	if !n.isDir() {
		if c.inodes[n] == nil || n.names < 2 {
			c.inodes[n] = &node{entry: n.entry.WithAttr(c.attr(n))}
		}
		c.replace(at, p, c.inodes[n])
		return nil
	}
	was := at.kids[path.Base(p)]
	if was != nil && was.entry.Kind() == tree.KindSymlink && !c.o.Overlay {
		if s, err := c.root.resolve(p, false); err == nil && s.node().isDir() {
			was, p = s.node(), s.path()
		}
	}
	if !was.isDir() {
		was = newDir(c.attr(n))
		c.replace(at, p, was)
	}
	was.entry = tree.Empty().With(c.attr(n))
	return c.contents(was, p, n)
}

func (c *copier) contents(at *node, p string, n *node) error {
	for _, name := range n.list() {
		if err := c.put(at, path.Join(p, name), n.kids[name]); err != nil {
			return err
		}
	}
	return nil
}

// modelApply changes root as the change set says.
func modelApply(root *node, c *tree.DirChange) {
	if c.Opaque {
		clear(root.kids)
	}
	if c.Attr != nil {
		root.entry = tree.Empty().With(*c.Attr)
	}
	for name, ch := range c.All() {
		switch ch := ch.(type) {
		case tree.Remove:
			delete(root.kids, name)
		case tree.Put:
			t, isTree := ch.Entry.(tree.Tree)
			if !isTree {
				root.kids[name] = &node{entry: ch.Entry}
				continue
			}
			if !root.kids[name].isDir() {
				root.kids[name] = newDir(tree.Attr{})
			}
			over := copier{root: root, o: compose.Options{Overlay: true}, inodes: map[*node]*node{}}
			m := modelOf(t)
			root.kids[name].entry = m.entry
			if err := over.contents(root.kids[name], "/"+name, m); err != nil {
				panic(err)
			}
		case *tree.DirChange:
			if !root.kids[name].isDir() {
				root.kids[name] = newDir(tree.Empty().Attr())
			}
			modelApply(root.kids[name], ch)
		}
	}
}
