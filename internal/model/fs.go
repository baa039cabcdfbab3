// Package model says what the operations on trees mean, as a program: the
// executable form of docs/semantics.md, which the real code is held against.
//
// A file system is a plain map of paths, changed in place, one path after the
// other. Nothing is shared, nothing is lazy, nothing is clever: it must be
// obviously right. Failures are panics, which [Run] turns into outcomes. Modes,
// patterns and .gitignore files are read by the same code as everywhere, which
// has judges of its own: chmod(1), moby's matcher and git. Tests alone use it.
package model

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
)

// FS is what stands at each path, rooted and clean. All names of one inode have
// the same pointer.
type FS map[string]*treetest.Item

// New gives the file system of a listing.
func New(l treetest.Listing) FS {
	f := FS{}
	for _, i := range l {
		if f[i.Path] = &i; i.Same != "" {
			f[i.Path] = f[i.Same]
		}
	}
	return f
}

// Listing gives all that the file system is.
func (f FS) Listing() (l treetest.Listing) {
	first := map[*treetest.Item]string{}
	for p, n := range f {
		i := *n
		if i.Path, i.Same = p, first[n]; i.Same == "" {
			first[n] = p
		}
		l = append(l, i)
	}
	l.Sort()
	return l
}

// failure is what an operation panics with: why it fails.
type failure string

func need(ok bool, why failure) {
	if !ok {
		panic(why)
	}
}

func (f FS) isDir(p string) bool { return f[p] != nil && f[p].Kind == tree.KindDirectory }

// paths gives the paths that ok says, in their order.
func (f FS) paths(ok func(p string) bool) (out []string) {
	for p := range f {
		if ok(p) {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, tree.ComparePaths)
	return out
}

func within(p, dir string) bool { return p == dir || dir == "/" || strings.HasPrefix(p, dir+"/") }

func (f FS) below(dir string) []string {
	return f.paths(func(p string) bool { return p != dir && within(p, dir) })
}

func (f FS) children(dir string) []string {
	return f.paths(func(p string) bool { return p != "/" && path.Dir(p) == dir })
}

// same gives all names of an inode.
func (f FS) same(n *treetest.Item) []string { return f.paths(func(p string) bool { return f[p] == n }) }

// remove takes p away, with all that is below it.
func (f FS) remove(p string) {
	f.empty(p)
	delete(f, p)
}

func (f FS) empty(dir string) {
	for _, p := range f.below(dir) {
		delete(f, p)
	}
}

func clean(p string) string { return path.Clean("/" + p) }

// resolve follows a path as a process whose root is the file system, and gives
// where it leads, which need not exist. If its last name is a symlink, last says
// whether that is followed.
func (f FS) resolve(p string, last bool) string {
	at, links := "/", 0
	for todo := strings.Split(clean(p)[1:], "/"); len(todo) > 0; {
		name := todo[0]
		todo = todo[1:]
		if name == "" && len(todo) > 0 {
			continue
		}
		need(f[at] != nil || name != "." && name != "..", treetest.Missing)
		need(f[at] == nil || f.isDir(at), treetest.NotDir)
		need(len(name) <= tree.MaxName, treetest.BadName)
		next := path.Join(at, name) // and so at for "" and "."
		n := f[next]
		end := strings.Join(todo, "") == "" // but for slashes
		if n == nil || n.Kind != tree.KindSymlink || end && !last {
			at = next
			continue
		}
		links++
		need(links <= tree.MaxLinks, treetest.Loop)
		need(n.Target != "", treetest.Missing)
		if n.Target[0] == '/' {
			at = "/"
		}
		todo = append(strings.Split(n.Target, "/"), todo...)
	}
	return at
}

// try does something, and gives why it failed; "" if it did not.
func try(do func()) (why failure) {
	defer func() {
		if r := recover(); r != nil {
			why = r.(failure) // or panic again: that is a bug
		}
	}()
	do()
	return ""
}

// leadsToDir tells whether a path leads to a directory, and to which.
func (f FS) leadsToDir(p string) (at string, ok bool) {
	why := try(func() { at = f.resolve(p, true) })
	return at, why == "" && f.isDir(at)
}

// expand gives the paths that a path or a pattern stands for.
func (f FS) expand(p string) []string {
	if itself, ok := treetest.Plain(p); ok {
		return []string{itself}
	}
	return f.glob(p)
}

// glob gives the paths that match a pattern, in bytewise order. Symlinks are
// followed before the first wildcard, and not from there on.
func (f FS) glob(pattern string) []string {
	at, names := "/", strings.Split(clean(pattern)[1:], "/")
	for _, n := range names {
		_, err := path.Match(n, "")
		need(err == nil, treetest.Refused)
	}
	for len(names) > 1 {
		name, ok := treetest.Itself(names[0])
		if !ok {
			break
		}
		at, names = path.Join(at, name), names[1:]
	}
	found := map[string]bool{}
	if dir, ok := f.leadsToDir(at); ok {
		for _, p := range f.below(dir) {
			if rel := strings.TrimPrefix(p[len(dir):], "/"); match(names, strings.Split(rel, "/")) {
				found[path.Join(at, rel)] = true
			}
		}
	}
	if names[0] == "" {
		found["/"] = true
	}
	return slices.Sorted(maps.Keys(found))
}

// match tells whether the names of a path match those of a pattern.
func match(pattern, names []string) bool {
	if len(pattern) == 0 || len(names) == 0 {
		return len(pattern) == len(names)
	}
	if pattern[0] == "**" {
		return len(pattern) == 1 || match(pattern[1:], names) || match(pattern, names[1:])
	}
	ok, _ := path.Match(pattern[0], names[0])
	return ok && match(pattern[1:], names[1:])
}
