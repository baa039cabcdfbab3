package tree

import (
	"context"
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/digest"
)

// Lister gives what a directory holds that is somewhere else: its own names, in
// any order. It is asked once it is needed, and again only if it failed.
// Implementations answer several goroutines at once.
type Lister interface {
	List(ctx context.Context) ([]Child, error)
}

// View gives a directory of which only the attributes are known, and a stand-in
// for all that it holds: views with the same stand-in hold the same. What it holds
// is listed when somebody looks.
//
// A view is for deciding what goes where: looking things up in it and composing it
// with other trees is exact. What it does not know is how many entries it has
// ([Tree.Len] gives one, [Tree.Count] less than none), hardlinks, and its true digest: [Tree.Digest] is a digest of
// stand-ins. So it is never saved, and nobody is told its digest.
func View(a Attr, standIn digest.Digest, l Lister) Tree {
	v := &list{names: 1, count: unknown, lister: l}
	v.dig.Store(&standIn)
	return Tree{attr: a, list: v}
}

// StandIn gives the stand-in of a view that nothing was changed in; ok is false for
// any other tree.
func (t Tree) StandIn() (d digest.Digest, ok bool) {
	if t.list == nil || t.list.lister == nil {
		return digest.Digest{}, false
	}
	return t.list.digest(), true
}

// Names gives the number of names in the directory itself, as [Tree.Len] does, of a
// view too: that is listed.
func (t Tree) Names(ctx context.Context) (int64, error) {
	if _, ok := t.StandIn(); !ok {
		return t.Len(), nil
	}
	b, err := t.list.load(ctx)
	if err != nil {
		return 0, err
	}
	return int64(len(b.children)), nil
}

// listed gives the body of a view: all names in one chunk, wherever chunks would
// be cut, as its digest is not that of the body.
func (l *list) listed(ctx context.Context) (*body, error) {
	children, err := l.lister.List(ctx)
	if err != nil {
		return nil, err
	}
	b := &body{children: slices.Clone(children)}
	slices.SortFunc(b.children, func(x, y Child) int { return strings.Compare(x.Name, y.Name) })
	for i, c := range b.children {
		if err := CheckName(c.Name); err != nil {
			return nil, err
		}
		if i > 0 && b.children[i-1].Name == c.Name {
			return nil, malformed("a directory that lists a name twice")
		}
		if b.children[i].Entry, err = normal(c.Entry); err != nil {
			return nil, err
		}
	}
	return b, nil
}
