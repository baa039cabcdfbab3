package tree

import (
	"context"
	"sort"
)

// change is one changed name of a directory; a nil entry removes it.
type change struct {
	name  string
	entry Entry
}

// edit gives l with changes made, which are sorted by name. It touches the
// chunks that the changes fall into, and shares the others.
func (l *list) edit(ctx context.Context, changes []change) (*list, error) {
	b := &listBuilder{ctx: ctx}
	if l != nil {
		if err := b.merge(l, changes); err != nil {
			return nil, err
		}
		return b.finish()
	}
	for _, c := range changes {
		if c.entry != nil {
			if err := b.add(Child{c.name, c.entry}); err != nil {
				return nil, err
			}
		}
	}
	return b.finish()
}

// listBuilder makes the chunks of a directory from its children in order,
// taking over whole chunks where nothing in them changed.
type listBuilder struct {
	ctx      context.Context // of the one call of edit that made it
	children []Child         // of the last chunk of level 0, not yet closed
	open     [maxLevel + 2][]*list
	any      bool
}

// merge adds all below l, changed.
func (b *listBuilder) merge(l *list, changes []change) error {
	if len(changes) == 0 {
		return b.addList(l)
	}
	body, err := l.load(b.ctx)
	if err != nil {
		return err
	}
	if body.level > 0 {
		for i, k := range body.kids {
			n := len(changes)
			if i+1 < len(body.kids) {
				next := body.kids[i+1].first
				n = sort.Search(n, func(j int) bool { return changes[j].name >= next })
			}
			if err := b.merge(k, changes[:n]); err != nil {
				return err
			}
			changes = changes[n:]
		}
		return nil
	}
	return b.mergeNames(body.children, changes)
}

// mergeNames adds the names of one chunk, changed. All of them but the first are
// of level 0, so that they follow one another without a bound in between.
func (b *listBuilder) mergeNames(old []Child, changes []change) error {
	if b.children == nil {
		b.children = make([]Child, 0, len(old)+min(len(changes), 16))
	}
	first := true
	for len(old) > 0 || len(changes) > 0 {
		if len(changes) == 0 || len(old) > 0 && old[0].Name < changes[0].name {
			if first || len(b.children) == 0 {
				if err := b.add(old[0]); err != nil {
					return err
				}
				first, old = false, old[1:]
			}
			n := len(old)
			if len(changes) > 0 {
				n = sort.Search(n, func(i int) bool { return old[i].Name >= changes[0].name })
			}
			b.children = append(b.children, old[:n]...)
			old = old[n:]
			continue
		}
		c := changes[0]
		changes = changes[1:]
		if len(old) > 0 && old[0].Name == c.name {
			old, first = old[1:], false
		}
		if c.entry == nil {
			continue
		}
		if err := b.add(Child{c.name, c.entry}); err != nil {
			return err
		}
	}
	return nil
}

// add appends one child, which sorts after all that was added.
func (b *listBuilder) add(c Child) error {
	if b.any {
		if err := b.boundary(nameLevel(c.Name)); err != nil {
			return err
		}
	}
	b.any = true
	b.children = append(b.children, c)
	return nil
}

// addList appends a whole chunk.
func (b *listBuilder) addList(l *list) error {
	if b.any {
		at := nameLevel(l.first)
		if at <= l.level {
			// It was the first of its directory and is not any more.
			body, err := l.load(b.ctx)
			if err != nil {
				return err
			}
			return b.addBody(body)
		}
		if err := b.boundary(at); err != nil {
			return err
		}
	}
	b.any = true
	b.open[l.level+1] = append(b.open[l.level+1], l)
	return nil
}

func (b *listBuilder) addBody(body *body) error {
	for _, c := range body.children {
		if err := b.add(c); err != nil {
			return err
		}
	}
	for _, k := range body.kids {
		if err := b.addList(k); err != nil {
			return err
		}
	}
	return nil
}

// boundary prepares for a name of the given level: it ends the open chunks of
// all lower levels, and sees to it that the one of this level is open.
func (b *listBuilder) boundary(level int) error {
	b.close(level)
	if level == 0 && len(b.children) > 0 || level > 0 && len(b.open[level]) > 0 {
		return nil
	}
	return b.reopen(level)
}

// close ends the open chunks of all levels below level.
func (b *listBuilder) close(level int) {
	if level > 0 && len(b.children) > 0 {
		b.open[1] = append(b.open[1], newList(&body{children: b.children}))
		b.children = nil
	}
	for k := 1; k < level; k++ {
		if len(b.open[k]) > 0 {
			b.open[k+1] = append(b.open[k+1], newList(&body{level: k, kids: b.open[k]}))
			b.open[k] = nil
		}
	}
}

// reopen takes the last closed chunk apart, down to level, because the name
// that would have started the next one is gone.
func (b *listBuilder) reopen(level int) error {
	k := level + 1
	for len(b.open[k]) == 0 {
		k++
	}
	last := len(b.open[k]) - 1
	l := b.open[k][last]
	b.open[k] = b.open[k][:last:last]
	for {
		body, err := l.load(b.ctx)
		if err != nil {
			return err
		}
		if body.level == 0 {
			b.children = append([]Child(nil), body.children...)
			return nil
		}
		b.open[body.level] = append([]*list(nil), body.kids...)
		if body.level == level {
			return nil
		}
		last := len(body.kids) - 1
		b.open[body.level] = b.open[body.level][:last]
		l = body.kids[last]
	}
}

// finish gives the one chunk that holds all others; nil when there is none.
func (b *listBuilder) finish() (*list, error) {
	if !b.any {
		return nil, nil
	}
	top := 1
	for k := 2; k < len(b.open); k++ {
		if len(b.open[k]) > 0 {
			top = k
		}
	}
	b.close(top)
	if l := b.open[top]; len(l) > 1 {
		return newList(&body{level: top, kids: l}), nil
	}
	l := b.open[top][0]
	for l.level > 0 {
		body, err := l.load(b.ctx)
		if err != nil {
			return nil, err
		}
		if len(body.kids) > 1 {
			break
		}
		l = body.kids[0]
	}
	return l, nil
}
