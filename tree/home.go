package tree

import "github.com/inlaybuild/inlay/digest"

// Divided is a [Source] that has some nodes by itself, and others of another one. What
// a tree that was loaded from it has of the other one is as if it had been loaded there:
// [Save] with that as its home passes it by.
type Divided interface {
	Source
	// SourceOf gives the Source of a node that one of its own names: itself, or the
	// other one.
	SourceOf(d digest.Digest) Source
}

// From tells whether a part of t was loaded from src, and has not been saved
// elsewhere since. It looks at what was edited alone, and loads nothing.
func From(t Tree, src Source) bool {
	if t.links != nil && isHome(&t.links.home, src) {
		return true
	}
	return t.list != nil && t.list.from(src)
}

func (l *list) from(src Source) bool {
	if at := l.home.Load(); at != nil {
		return *at == src
	}
	b := l.body.Load()
	if b == nil {
		return false
	}
	for _, k := range b.kids {
		if k.from(src) {
			return true
		}
	}
	for _, c := range b.children {
		if t, ok := c.Entry.(Tree); ok && From(t, src) {
			return true
		}
	}
	return false
}
