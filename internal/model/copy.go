package model

import (
	"path"
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/internal/ignore"
	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
	"github.com/moby/patternmatcher"
)

// copier copies into a file system, path by path.
type copier struct {
	FS
	compose.Options
	out    *treetest.Outcome
	into   []string                          // the directories that are being copied into
	src    FS                                // all of the source
	inodes map[*treetest.Item]*treetest.Item // of the source, to those of the copy
}

func (c *copier) from(src FS) *copier {
	c.src, c.inodes = src, map[*treetest.Item]*treetest.Item{}
	return c
}

// copy copies what paths of the source lead to.
func (c *copier) copy(given []string, to string) {
	var from, at []string
	for _, p := range given {
		found := c.src.expand(p)
		need(len(found) > 0 || c.AllowEmpty, treetest.Missing)
		from = append(from, found...)
	}
	for _, p := range from {
		p = c.src.resolve(p, !c.KeepLink)
		need(c.src[p] != nil, treetest.Missing)
		need(!c.File || !c.src.isDir(p), treetest.Refused)
		need(!c.Contents || c.src.isDir(p), treetest.NotDir)
		at = append(at, p)
	}
	if c.Existing == compose.ExistingReplace && slices.ContainsFunc(at, c.src.isDir) {
		if dir, ok := c.leadsToDir(to); ok && !c.Overlay {
			c.clear(dir)
		} else if c.Overlay && c.isDir(clean(to)) {
			c.clear(clean(to))
		}
	}
	for n, p := range at {
		c.one(p, path.Base(clean(from[n])), to, len(given) > 1 || len(from) > 1)
	}
}

// clear empties a directory of the destination.
func (c *copier) clear(dir string) {
	c.lose(dir, tree.KindDirectory)
	c.empty(dir)
}

// one copies what the source has at a path, which is called name.
func (c *copier) one(from, name, to string, several bool) {
	at := clean(to)
	if !c.Overlay { // to an overlay links are things like others
		at = c.resolve(to, true)
	}
	if c.src.isDir(from) {
		if src := c.selected(from); c.isDir(at) {
			c.contents(src, from, at)
		} else {
			c.put(src, from, at, true)
		}
		return
	}
	slash := strings.HasSuffix(to, "/") || strings.HasSuffix(to, "/.") || to == "." || to == ""
	if several || slash || at == "/" || !c.Overlay && c.isDir(at) {
		need(c.Overlay || c.FS[at] == nil || c.isDir(at), treetest.NotDir)
		at = path.Join(at, name)
	}
	c.put(c.src, from, at, true)
}

// parents makes the directories that lead to p.
func (c *copier) parents(p string) {
	up := path.Dir(p)
	if c.isDir(up) {
		return
	}
	c.parents(up)
	need(c.Overlay || c.FS[up] == nil, treetest.NotDir)
	n := treetest.Item{Kind: tree.KindDirectory, Attr: tree.Attr{Mode: 0o755, ModTime: c.Epoch}}
	n.Attr = attr(compose.Options{Owner: c.Owner}, n)
	c.set(up, &n)
}

// set makes p stand for n; what stood there is gone with all that it held.
func (c *copier) set(p string, n *treetest.Item) {
	need(!slices.ContainsFunc(c.into, func(dir string) bool { return within(dir, p) }), treetest.Refused)
	if c.FS[p] != nil {
		c.out.Forbidden = append(c.out.Forbidden, p)
		c.lose(p, n.Kind)
	}
	c.remove(p)
	c.FS[p] = n
}

// put copies what src has at from to p; root says that it is the root of the
// copy, whose path is resolved already.
func (c *copier) put(src FS, from, p string, root bool) {
	need(p != "/", treetest.Refused)
	c.parents(p)
	n := *src[from]
	n.Attr = attr(c.Options, n)
	if n.Kind != tree.KindDirectory {
		if c.inodes[src[from]] == nil || len(c.src.same(src[from])) == 1 {
			c.inodes[src[from]] = &n
		}
		c.set(p, c.inodes[src[from]])
		return
	}
	if at := c.FS[p]; at != nil && at.Kind == tree.KindSymlink && !c.Overlay && !root {
		if dir, ok := c.leadsToDir(p); ok {
			p = dir
		}
	}
	if !c.isDir(p) {
		c.set(p, &n)
	}
	c.FS[p] = &n
	c.contents(src, from, p)
}

// contents copies what the directory from holds into the directory p.
func (c *copier) contents(src FS, from, p string) {
	c.into = append(c.into, p)
	for _, child := range src.children(from) {
		c.put(src, child, path.Join(p, path.Base(child)), false)
	}
	c.into = c.into[:len(c.into)-1]
}

// merge lays the source over the file system, its root's attributes too.
func (c *copier) merge() {
	c.Overlay = true
	c.FS["/"] = c.src["/"]
	c.contents(c.src, "/", "/")
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

// selected gives what the options select of a directory of the source: what
// matches, and the directories that lead to it.
func (c *copier) selected(dir string) FS {
	kept := FS{dir: c.src[dir]}
	for _, p := range c.src.below(dir) {
		rel := strings.TrimPrefix(p[len(dir):], "/")
		keep := (len(c.Include) == 0 || matches(c.Include, rel)) && !matches(c.Exclude, rel) &&
			!(c.Gitignore && c.src.ignored(dir, p))
		for ; keep && p != dir; p = path.Dir(p) {
			kept[p] = c.src[p]
		}
	}
	return kept
}

// matches asks moby's matcher, which is told of the parents first.
func matches(patterns []string, rel string) (ok bool) {
	rooted := slices.Clone(patterns)
	for n, p := range rooted {
		rooted[n] = strings.TrimPrefix(strings.Replace(p, "!/", "!", 1), "/")
	}
	m, err := patternmatcher.New(rooted)
	need(err == nil, treetest.Refused)
	var info patternmatcher.MatchInfo
	for n := range len(rel) + 1 {
		if n == len(rel) || rel[n] == '/' {
			ok, info, _ = m.MatchesUsingParentResults(rel[:n], info)
		}
	}
	return ok
}

// ignored tells whether the .gitignore files of the directories on the way to p
// make git ignore p, or a directory that leads to it and is below dir.
func (f FS) ignored(dir, p string) bool {
	if p == dir {
		return false
	}
	var rules *ignore.Git
	for _, d := range f.paths(func(d string) bool { return d != p && within(p, d) }) {
		if n := f[path.Join(d, ".gitignore")]; n != nil && n.Kind == tree.KindFile {
			rules = rules.Below(d[1:], []byte(n.Text))
		}
	}
	return f.ignored(dir, path.Dir(p)) || rules.Ignores(p[1:], f.isDir(p))
}
