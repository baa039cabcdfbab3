// Package model says what the operations on trees mean, as a program: the
// executable form of docs/semantics.md.
//
// A file system is a plain map of paths, changed in place, one path after the
// other. Nothing is shared, nothing is lazy, nothing is clever, and directories
// are searched by looking at every path there is. It is what the real code is
// held against, so it must be obviously right; it is slow, and used by tests
// alone. Modes, patterns and .gitignore files are read by the same code as
// everywhere: those have judges of their own, chmod(1), moby's matcher and git.
package model

import (
	"errors"
	"path"
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
)

// FS is a file system: what stands at each path, which is rooted and clean. All
// names of one inode have the same pointer.
type FS map[string]*treetest.Item

// New gives the file system of a listing.
func New(l treetest.Listing) FS {
	f := FS{}
	for _, i := range l {
		if i.Same != "" {
			f[i.Path] = f[i.Same]
			continue
		}
		f[i.Path] = &i
	}
	return f
}

// Listing gives all that the file system is.
func (f FS) Listing() treetest.Listing {
	var l treetest.Listing
	first := map[*treetest.Item]string{}
	for p, n := range f {
		i := *n
		i.Path, i.Same = p, first[n]
		if i.Same == "" {
			first[n] = p
		}
		l = append(l, i)
	}
	l.Sort()
	return l
}

func (f FS) isDir(p string) bool { return f[p] != nil && f[p].Kind == tree.KindDirectory }

// names gives the names in the directory p, in bytewise order.
func (f FS) names(p string) []string {
	var out []string
	for q := range f {
		if q != "/" && path.Dir(q) == p {
			out = append(out, path.Base(q))
		}
	}
	slices.Sort(out)
	return out
}

// below gives the paths below p.
func (f FS) below(p string) []string {
	var out []string
	for q := range f {
		if q != p && (p == "/" || strings.HasPrefix(q, p+"/")) {
			out = append(out, q)
		}
	}
	return out
}

// same gives all paths of an inode.
func (f FS) same(n *treetest.Item) []string {
	var out []string
	for p, m := range f {
		if m == n {
			out = append(out, p)
		}
	}
	return out
}

// remove takes p away, with all that is below it.
func (f FS) remove(p string) {
	for _, q := range append(f.below(p), p) {
		delete(f, q)
	}
}

// The errors of the model.
var (
	ErrLoop    = errors.New("loop")
	ErrNotDir  = errors.New("not a directory")
	ErrMissing = errors.New("missing")
	ErrName    = errors.New("name")
	ErrRefused = errors.New("refused")
	ErrForbid  = errors.New("forbidden")
)

// clean gives the rooted, lexically clean form of a path.
func clean(p string) string { return path.Clean("/" + p) }

// resolve follows a path as a process whose root is the file system, and gives
// where it leads, which need not exist. The last name is followed if it is a
// symlink and last says so.
func (f FS) resolve(p string, last bool) (string, error) {
	at, links := "/", 0
	todo := strings.Split(clean(p)[1:], "/")
	for len(todo) > 0 {
		name := todo[0]
		todo = todo[1:]
		end := strings.Join(todo, "") == "" // but for slashes
		switch {
		case name == "" && len(todo) > 0:
			continue
		case f[at] == nil && (name == "." || name == ".."):
			return "", ErrMissing
		case f[at] != nil && !f.isDir(at):
			return "", ErrNotDir
		case name == "" || name == ".":
			continue
		case name == "..":
			at = path.Dir(at)
			continue
		case len(name) > tree.MaxName:
			return "", ErrName
		}
		next := path.Join(at, name)
		n := f[next]
		if n == nil || n.Kind != tree.KindSymlink || end && !last {
			at = next
			continue
		}
		if links++; links > tree.MaxLinks {
			return "", ErrLoop
		}
		if n.Target == "" {
			return "", ErrMissing
		}
		if n.Target[0] == '/' {
			at = "/"
		}
		todo = append(strings.Split(n.Target, "/"), todo...)
	}
	return at, nil
}
