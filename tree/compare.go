package tree

import (
	"context"
	"iter"
)

// NameChange is one name of a directory that stands for different entries in
// two trees. Old is nil for a name that is only in the second, New for one that
// is only in the first.
type NameChange struct {
	Name     string
	Old, New Entry
}

// Compare gives the names of the two directories themselves that stand for
// different entries, in bytewise order. It passes by the chunks that both
// share, so it costs what differs. Hardlinks are not compared, but for those
// inside child directories.
func Compare(ctx context.Context, a, b Tree) iter.Seq2[NameChange, error] {
	return func(yield func(NameChange, error) bool) {
		if sameList(a.list, b.list) {
			return
		}
		x, y := newCursor(a), newCursor(b)
		for {
			more, err := together(ctx, x, y)
			if err != nil {
				yield(NameChange{}, err)
				return
			}
			if !more {
				return
			}
			var c NameChange
			switch {
			case len(y.leaf) == 0 || len(x.leaf) > 0 && x.leaf[0].Name < y.leaf[0].Name:
				c.Name, c.Old = x.take()
			case len(x.leaf) == 0 || y.leaf[0].Name < x.leaf[0].Name:
				c.Name, c.New = y.take()
			default:
				c.Name, c.Old = x.take()
				_, c.New = y.take()
				if Equal(c.Old, c.New) {
					continue
				}
			}
			if !yield(c, nil) {
				return
			}
		}
	}
}

// cursor is a place in a directory: the children of the chunk that it is in,
// and the chunks that come after, the next one last.
type cursor struct {
	leaf []Child
	next []*list
}

func newCursor(t Tree) *cursor {
	if t.list == nil {
		return &cursor{}
	}
	return &cursor{next: []*list{t.list}}
}

func (c *cursor) take() (string, Entry) {
	first := c.leaf[0]
	c.leaf = c.leaf[1:]
	return first.Name, first.Entry
}

func (c *cursor) peek() *list {
	if len(c.next) == 0 {
		return nil
	}
	return c.next[len(c.next)-1]
}

// open replaces the next chunk by what it holds.
func (c *cursor) open(ctx context.Context) error {
	b, err := c.peek().load(ctx)
	if err != nil {
		return err
	}
	c.next = c.next[:len(c.next)-1]
	c.leaf = b.children
	for i := len(b.kids) - 1; i >= 0; i-- {
		c.next = append(c.next, b.kids[i])
	}
	return nil
}

// together moves both cursors to where children are, passing by chunks that are
// the same, and tells whether there are any left.
func together(ctx context.Context, x, y *cursor) (bool, error) {
	for {
		p, q := x.peek(), y.peek()
		switch {
		case len(x.leaf) > 0 && (len(y.leaf) > 0 || q == nil), len(y.leaf) > 0 && p == nil:
			return true, nil
		case len(x.leaf) == 0 && len(y.leaf) == 0 && p == nil && q == nil:
			return false, nil
		case len(x.leaf) == 0 && len(y.leaf) == 0 && p != nil && q != nil && p.level == q.level && sameList(p, q):
			x.next = x.next[:len(x.next)-1]
			y.next = y.next[:len(y.next)-1]
		case len(x.leaf) == 0 && p != nil && (len(y.leaf) > 0 || q == nil || p.level >= q.level):
			if err := x.open(ctx); err != nil {
				return false, err
			}
		default:
			if err := y.open(ctx); err != nil {
				return false, err
			}
		}
	}
}
