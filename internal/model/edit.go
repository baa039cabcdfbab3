package model

import (
	"maps"
	"path"
	"strings"

	"github.com/inlaybuild/inlay/internal/treetest"
)

// removeAll takes away what patterns match, and paths lead to.
func (f FS) removeAll(patterns []string) {
	was := maps.Clone(f)
	for _, p := range patterns {
		for _, q := range was.expand(p) {
			at := ""
			why := try(func() { at = was.resolve(q, false) })
			need(why == "" || why == treetest.Missing || why == treetest.NotDir, why)
			if why == "" {
				need(at != "/", treetest.Refused)
				f.remove(at)
			}
		}
	}
}

// target finds what an edit is of, and the path that it gets.
func (c *copier) target(from, to string) (src, dst string) {
	src, dst = c.resolve(from, false), c.resolve(to, strings.HasSuffix(to, "/"))
	need(c.FS[src] != nil, treetest.Missing)
	if strings.HasSuffix(to, "/") {
		dst = path.Join(dst, path.Base(clean(from)))
	}
	return src, dst
}

// rename gives what a path leads to another one.
func (c *copier) rename(from, to string) {
	src, dst := c.target(from, to)
	if src == dst {
		return
	}
	need(src != "/" && dst != "/" && !within(dst, src), treetest.Refused)
	moved := FS{dst: c.FS[src]}
	for _, p := range c.below(src) {
		moved[dst+p[len(src):]] = c.FS[p]
	}
	c.remove(src)
	c.parents(dst)
	c.set(dst, moved[dst])
	maps.Copy(c.FS, moved)
}

// hardlink makes another name of what target leads to.
func (c *copier) hardlink(target, at string) {
	src, dst := c.target(target, at)
	need(!c.isDir(src) && dst != "/" && (src == dst || !within(src, dst)), treetest.Refused)
	if c.FS[src] != c.FS[dst] {
		c.parents(dst)
		c.set(dst, c.FS[src])
	}
}

// setAttr changes the attributes of what paths lead to and patterns match, and
// of all below. An inode has one set of attributes, whatever its names are.
func (c *copier) setAttr(paths []string, shallow bool) {
	inodes := map[*treetest.Item]bool{}
	for _, p := range paths {
		for _, q := range c.expand(p) {
			_, plain := treetest.Plain(p)
			at := c.resolve(q, plain) // what a pattern finds is not followed
			need(c.FS[at] != nil, treetest.Missing)
			inodes[c.FS[at]] = true
			for _, q := range c.below(at) {
				inodes[c.FS[q]] = inodes[c.FS[q]] || !shallow
			}
		}
	}
	for n, change := range inodes {
		if change {
			n.Attr = attr(c.Options, *n)
		}
	}
}
