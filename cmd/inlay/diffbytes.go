package main

import (
	"path"
	"slices"

	"github.com/inlaybuild/inlay/tree"
)

// gone is a file in a directory that is not there any more.
type gone struct {
	path string
	file tree.File
}

// below collects the files of a directory that is gone, and the names of hardlinks.
func (c *comparison) below(at string, t tree.Tree) (files []gone, err error) {
	if err := c.candidates(at, t); err != nil {
		return nil, err
	}
	for child, err := range t.All(c.ctx) {
		if err == nil {
			err = c.ctx.Err()
		}
		if err != nil {
			return nil, err
		}
		p := path.Join(at, child.Name)
		switch e := child.Entry.(type) {
		case tree.File:
			files = append(files, gone{p, e})
		case tree.Tree:
			more, err := c.below(p, e)
			if err != nil {
				return nil, err
			}
			files = append(files, more...)
		}
	}
	return files, nil
}

// bytes works out by how many bytes the differences are more or less, where an
// inode counts once: for the first of its names that differ, and not at all if one
// does not differ.
func (c *comparison) bytes(a, b tree.Tree) error {
	was, now := newInodes(a, c.linked), newInodes(b, c.linked)
	for i := range c.found {
		d := &c.found[i]
		d.Bytes = 0
		was.touch(string(d.Path), d.was)
		now.touch(string(d.Path), d.now)
		for _, g := range d.gone {
			was.touch(g.path, g.file)
		}
	}
	for i := range c.found {
		d := &c.found[i]
		for _, side := range []struct {
			of   *inodes
			sign int64
			e    tree.Entry
		}{{was, -1, d.was}, {now, 1, d.now}} {
			n, err := side.of.size(c, string(d.Path), side.e)
			if err != nil {
				return err
			}
			d.Bytes += side.sign * n
		}
		for _, g := range d.gone {
			n, err := was.size(c, g.path, g.file)
			if err != nil {
				return err
			}
			d.Bytes -= n
		}
	}
	return nil
}

// inodes tells what names of files in a tree stand for how many bytes.
type inodes struct {
	tree    tree.Tree
	linked  map[string]bool // names that may have others
	touched map[string]bool // names that differ
	counted map[string]bool // the name counts, of those with others
}

func newInodes(t tree.Tree, linked []string) *inodes {
	n := &inodes{tree: t, linked: map[string]bool{}, touched: map[string]bool{}, counted: map[string]bool{}}
	for _, p := range linked {
		n.linked[p] = true
	}
	return n
}

func (n *inodes) touch(p string, e tree.Entry) {
	if _, ok := e.(tree.File); ok {
		n.touched[p] = true
	}
}

// size gives the bytes that a name stands for; 0 if it is no file.
func (n *inodes) size(c *comparison, p string, e tree.Entry) (int64, error) {
	f, ok := e.(tree.File)
	if !ok {
		return 0, nil
	}
	if !n.linked[p] {
		return f.Size, nil
	}
	if _, ok := n.counted[p]; !ok {
		names, err := linkGroup(c.ctx, n.tree, p)
		if err != nil {
			return 0, err
		}
		slices.SortFunc(names, tree.ComparePaths)
		stays := slices.ContainsFunc(names, func(q string) bool { return !n.touched[q] })
		for i, q := range names {
			n.counted[q] = i == 0 && !stays
		}
	}
	if !n.counted[p] {
		return 0, nil
	}
	return f.Size, nil
}
