package peers

import (
	"context"
	"path"
	"strings"

	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
)

// meeting is one entry of a copy's source, and what stands in its place.
type meeting struct {
	treetest.Item
	at  string         // where it lands
	was *treetest.Item // what stands there; nil for nothing

	// into is the directory that it merges with, which was, or a symlink in
	// its place, leads to; nil if there is none, or it is no directory.
	into *treetest.Item
	// toward is where a symlink in its place leads to; "" if nowhere.
	toward string
	hops   []tree.Hop // the symlinks that led there

	root bool // it is the root of the copy
}

// encounter is all meetings of a copy, in the order of the source's paths, and
// the symlinks of the destination that led to them.
type encounter struct {
	treetest.Case
	meetings []meeting
	root     string // the destination, without symlinks
	links    int    // how many symlinks lead there
	hops     map[string]bool
}

// encounters finds what meets what in a copy into a directory that is there.
func encounters(j job) encounter {
	e := encounter{Case: j.Case, hops: map[string]bool{}}
	dst := j.Dst.MustTree()
	follow := tree.FollowAll
	if j.Options.Overlay {
		follow = tree.FollowNone
	}
	r, _ := tree.Resolve(context.Background(), dst, j.to, follow)
	e.note(r)
	e.root, e.links = r.Path, len(r.Hops)
	for n, from := range j.from {
		r2, _ := tree.Resolve(context.Background(), j.Src.MustTree(), from, tree.FollowParents)
		if r2.Entry == nil {
			continue
		}
		if !j.isDir[n] {
			e.meet(*j.Src.Find(r2.Path), path.Join(r.Path, path.Base(path.Clean("/"+from))), dst)
			continue
		}
		e.meetings = append(e.meetings, meeting{Item: *j.Src.Find(r2.Path), at: r.Path, was: j.Dst.Find(r.Path), into: j.Dst.Find(r.Path), root: true})
		e.below(r2.Path, r.Path, dst)
	}
	return e
}

func (e *encounter) note(r tree.Resolution) {
	for _, h := range r.Hops {
		e.hops[h.Path] = true
	}
}

// below meets what a directory of the source holds with what is in a directory.
func (e *encounter) below(from, at string, dst tree.Tree) {
	for _, i := range e.Src {
		if i.Path == "/" || path.Dir(i.Path) != from {
			continue
		}
		m := e.meet(i, path.Join(at, path.Base(i.Path)), dst)
		if i.Kind != tree.KindDirectory {
			continue
		}
		if m.into != nil {
			e.below(i.Path, m.into.Path, dst)
		} else {
			e.below(i.Path, m.at, dst)
		}
	}
}

func (e *encounter) meet(i treetest.Item, at string, dst tree.Tree) meeting {
	m := meeting{Item: i, at: at, was: e.Dst.Find(at)}
	switch {
	case m.was == nil:
	case m.was.Kind == tree.KindSymlink && !e.Options.Overlay:
		r, err := tree.Resolve(context.Background(), dst, at, tree.FollowAll)
		if err == nil {
			m.toward = r.Path
		}
		m.hops = r.Hops
		if i.Kind == tree.KindDirectory {
			e.note(r)
		}
		if err == nil && i.Kind == tree.KindDirectory && r.Entry != nil && r.Entry.Kind() == tree.KindDirectory {
			m.into = e.Dst.Find(r.Path)
		}
	case i.Kind == tree.KindDirectory && m.was.Kind == tree.KindDirectory:
		m.into = m.was
	}
	e.meetings = append(e.meetings, m)
	return m
}

// isDir tells whether it is a directory, which merges, if it can.
func (m meeting) isDir() bool { return m.Kind == tree.KindDirectory }

// met tells whether something of one of the kinds stands in its place.
func (m meeting) met(kinds ...tree.Kind) bool {
	for _, k := range kinds {
		if m.was != nil && m.was.Kind == k {
			return true
		}
	}
	return false
}

// within tells whether a path is the other, or below it.
func within(p, dir string) bool { return p == dir || dir == "/" || strings.HasPrefix(p, dir+"/") }
