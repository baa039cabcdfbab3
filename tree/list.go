package tree

import (
	"context"
	"math"
	"sort"
	"sync/atomic"

	"github.com/inlaybuild/inlay/digest"
)

// The names of a directory are a sorted sequence, cut into chunks. A name's
// level, a function of its bytes alone, is 0 for most and at least k for one in
// 128^k. A chunk of names (level 0) starts at the first name of the directory
// and at every name of level 1 or more; the chunks are themselves a sequence,
// cut at the names of level 2 or more into chunks of level 1; and so on, until
// one chunk is left. So the chunks of a directory follow from its set of names,
// and a changed name changes one chunk of each level.

const (
	levelBits = 7 // 128 names or chunks in a chunk, on average
	maxLevel  = 4 // names that were chosen to be of high levels stop here
)

// nameLevel gives the level of a name: the count of trailing zero bits of its
// 64-bit FNV-1a sum, mixed, divided by levelBits.
func nameLevel(name string) int {
	h := uint64(14695981039346656037)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	level := 0
	for h&(1<<levelBits-1) == 0 && level < maxLevel {
		h >>= levelBits
		level++
	}
	return level
}

// list is a chunk: what is known of it, and its body, which may be loaded later.
type list struct {
	first string // the first name at or below it; "" while a whole directory is not loaded
	level int
	names int64 // names of the directory at or below it
	count int64 // those, and all below the directories among them; unknown if there is a view
	bytes int64 // sizes of all files at or below them

	source Source // where the body is, when it is not loaded
	lister Lister // what lists the body of a view; nil for others
	body   atomic.Pointer[body]
	dig    atomic.Pointer[digest.Digest]
	home   atomic.Pointer[Source] // where it is known to be saved
}

// body is the content of a chunk: children at level 0, chunks above it.
type body struct {
	level    int
	children []Child
	kids     []*list
}

func newList(b *body) *list {
	l := &list{level: b.level}
	l.body.Store(b)
	if b.level > 0 {
		l.first = b.kids[0].first
		for _, k := range b.kids {
			l.names = addCapped(l.names, k.names)
			l.count = addCapped(l.count, k.count)
			l.bytes = addCapped(l.bytes, k.bytes)
		}
		return l
	}
	l.first = b.children[0].Name
	l.names = int64(len(b.children))
	l.count = l.names
	for _, c := range b.children {
		switch e := c.Entry.(type) {
		case File:
			l.bytes = addCapped(l.bytes, e.Size)
		case Tree:
			l.count = addCapped(l.count, e.Count())
			l.bytes = addCapped(l.bytes, e.Bytes())
		}
	}
	return l
}

// unknown is the count of what is not counted: views.
const unknown = -1

// addCapped adds without overflow: a tree can claim sizes that no disk has.
func addCapped(a, b int64) int64 {
	if a < 0 || b < 0 {
		return unknown
	}
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

func (l *list) load(ctx context.Context) (*body, error) {
	if b := l.body.Load(); b != nil {
		return b, nil
	}
	b, err := l.read(ctx)
	if err != nil {
		return nil, err
	}
	l.body.CompareAndSwap(nil, b)
	return l.body.Load(), nil
}

// read reads the body from where it is.
func (l *list) read(ctx context.Context) (*body, error) {
	if l.lister != nil {
		return l.listed(ctx)
	}
	enc, err := readNode(ctx, l.source, *l.dig.Load())
	if err != nil {
		return nil, err
	}
	b, err := decodeBody(enc, l.source)
	if err != nil {
		return nil, err
	}
	return b, l.check(b)
}

// check holds a loaded body against what the parent said of it.
func (l *list) check(b *body) error {
	n := newList(b)
	if n.level != l.level || l.first != "" && n.first != l.first || n.names != l.names || n.count != l.count || n.bytes != l.bytes {
		return malformed("a chunk that is not what its parent says")
	}
	if l.first == "" && len(b.kids) == 1 {
		return malformed("a directory in a chunk of one chunk")
	}
	return nil
}

func (l *list) digest() digest.Digest {
	if d := l.dig.Load(); d != nil {
		return *d
	}
	d := digest.Of(l.body.Load().encode())
	l.dig.Store(&d)
	return d
}

func sameList(a, b *list) bool {
	if a == b {
		return true
	}
	return a != nil && b != nil && a.count == b.count && a.bytes == b.bytes && a.digest() == b.digest()
}

// at gives the index of the kid whose range holds name.
func (b *body) at(name string) int {
	i := sort.Search(len(b.kids), func(i int) bool { return b.kids[i].first > name })
	return max(i-1, 0)
}

func (b *body) find(name string) (int, bool) {
	i := sort.Search(len(b.children), func(i int) bool { return b.children[i].Name >= name })
	return i, i < len(b.children) && b.children[i].Name == name
}

func (l *list) get(ctx context.Context, name string) (Entry, bool, error) {
	for {
		b, err := l.load(ctx)
		if err != nil {
			return nil, false, err
		}
		if b.level == 0 {
			i, ok := b.find(name)
			if !ok {
				return nil, false, nil
			}
			return b.children[i].Entry, true, nil
		}
		l = b.kids[b.at(name)]
	}
}

// all yields the children below l and tells whether to go on.
func (l *list) all(ctx context.Context, yield func(Child, error) bool) bool {
	b, err := l.load(ctx)
	if err != nil {
		yield(Child{}, err)
		return false
	}
	for _, c := range b.children {
		if !yield(c, nil) {
			return false
		}
	}
	for _, k := range b.kids {
		if !k.all(ctx, yield) {
			return false
		}
	}
	return true
}
