package tree

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/inlaybuild/inlay/digest"
)

// Source has the encoded nodes of trees. Implementations are pointers, and
// answer several goroutines at once. What they give need not be trusted: it is
// held against its digest here, so that a tree that was loaded is finite and is
// the one that was asked for, or gives an error.
type Source interface {
	// Node gives the encoded node that d names. The error for one that is not
	// there is [ErrMissingNode] or wraps it.
	Node(ctx context.Context, d digest.Digest) ([]byte, error)
}

// Load gives the tree that d names. Only its root is read; the rest is loaded
// from src when it is needed.
func Load(ctx context.Context, src Source, d digest.Digest) (Tree, error) {
	b, err := readNode(ctx, src, d)
	if err != nil {
		return Tree{}, err
	}
	return decodeRoot(b, src)
}

// readNode gives the node that d names, and no other.
func readNode(ctx context.Context, src Source, d digest.Digest) ([]byte, error) {
	b, err := src.Node(ctx, d)
	if err != nil {
		return nil, err
	}
	if got := digest.Of(b); got != d {
		return nil, malformed(fmt.Sprintf("the source gave %s for %s", got, d))
	}
	return b, nil
}

// Saved is a tree that was given to a sink by [Save].
type Saved struct {
	Digest digest.Digest // for Load

	home  Source
	lists []*list
	links []*linkList
}

// Done says that the sink has kept the nodes for good: later calls of Save with
// the same home pass them by.
func (s *Saved) Done() {
	for _, l := range s.lists {
		l.home.Store(&s.home)
	}
	for _, l := range s.links {
		l.home.Store(&s.home)
	}
}

// Save gives put every node of t that is not yet in home, children before
// parents, and t's root at last. It costs what is new. Call [Saved.Done] when
// the nodes are safe.
func Save(ctx context.Context, t Tree, home Source, put func(d digest.Digest, node []byte) error) (*Saved, error) {
	return NewSaver(home).Save(ctx, t, put)
}

// Saver saves several trees, and what they share once. It is used by one goroutine.
type Saver struct {
	homes []Source // the first is where it saves
	seen  map[*list]bool
}

// NewSaver gives a Saver for a home. What is in one of the others stays there.
func NewSaver(home Source, others ...Source) *Saver {
	return &Saver{homes: append([]Source{home}, others...), seen: map[*list]bool{}}
}

// Save is the function [Save] for one more tree.
func (s *Saver) Save(ctx context.Context, t Tree, put func(d digest.Digest, node []byte) error) (*Saved, error) {
	if err := t.attr.check(); err != nil {
		return nil, err
	}
	one := &saver{Saver: s, ctx: ctx, put: put, saved: &Saved{home: s.homes[0]}}
	if err := one.parts(t); err != nil {
		return nil, err
	}
	b := t.encode()
	one.saved.Digest = digest.Of(b)
	return one.saved, put(one.saved.Digest, b)
}

// has tells whether something is in one of the homes.
func (s *Saver) has(at *atomic.Pointer[Source]) bool {
	return slices.ContainsFunc(s.homes, func(home Source) bool { return isHome(at, home) })
}

type saver struct {
	*Saver
	ctx   context.Context // of the one call of Save that made it
	put   func(d digest.Digest, node []byte) error
	saved *Saved
}

func (s *saver) parts(t Tree) error {
	if t.list != nil {
		if err := s.list(t.list); err != nil {
			return err
		}
	}
	l := t.links
	if l == nil || s.has(&l.home) {
		return nil
	}
	groups, err := l.load(s.ctx)
	if err != nil {
		return err
	}
	s.saved.links = append(s.saved.links, l)
	return s.put(l.digest(), encodeLinks(groups))
}

func (s *saver) list(l *list) error {
	if s.seen[l] || s.has(&l.home) {
		return nil
	}
	if l.lister != nil {
		return errors.New("a view cannot be saved: what it stands for must be known first")
	}
	s.seen[l] = true
	b, err := l.load(s.ctx)
	if err != nil {
		return err
	}
	for _, k := range b.kids {
		if err := s.list(k); err != nil {
			return err
		}
	}
	for _, c := range b.children {
		if t, ok := c.Entry.(Tree); ok {
			if err := s.parts(t); err != nil {
				return err
			}
		}
	}
	s.saved.lists = append(s.saved.lists, l)
	return s.put(l.digest(), b.encode())
}

func isHome(at *atomic.Pointer[Source], home Source) bool {
	p := at.Load()
	return p != nil && *p == home
}
