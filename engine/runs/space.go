package runs

import (
	"context"
	"path"

	"github.com/inlaybuild/inlay/tree"
)

// Space tells what takes the space of a tree. An inode with several names counts
// once, for the first of them.
type Space struct {
	Bytes   int64 // of all files
	Entries int64
	Paths   []PathSpace  // down to a depth, the root first
	Steps   []VersionUse // by version, the newest first
}

// PathSpace is what stands at a path, with all below it.
type PathSpace struct {
	Path    string
	Kind    tree.Kind
	Bytes   int64
	Entries int64 // below it
}

// VersionUse is how much of a tree is since a version of it as it was.
type VersionUse struct {
	Bytes   int64 // of the files that it brought or changed the content of
	Entries int64
}

// Ancestors gives a step, and those that its tree was made upon: the first input
// of each, back to where the tree came from.
func (f Found) Ancestors(st *Step) []*Step {
	out := []*Step{st}
	for len(st.Inputs) > 0 && st.Inputs[0] < st.Index && st.Inputs[0] < len(f.Steps) {
		st = &f.Steps[st.Inputs[0]]
		if st.After.IsZero() {
			break
		}
		out = append(out, st)
	}
	return out
}

// Measure tells what takes the space of the first of some versions of an entry,
// which is mostly a directory, the newest of them, and which of them brought it:
// that since which the same file has been at the same path. Paths are told down to
// a depth below the root; it costs a look at each entry.
func Measure(ctx context.Context, versions []tree.Entry, depth int) (Space, error) {
	m := &measuring{out: Space{Steps: make([]VersionUse, len(versions))}, seen: map[*tree.Link]bool{}, depth: depth}
	var older []version
	for i, e := range versions[1:] {
		older = append(older, version{i + 1, e})
	}
	links := tree.LinkView{}
	if t, ok := versions[0].(tree.Tree); ok {
		var err error
		if links, err = tree.NewLinkView(ctx, t); err != nil {
			return Space{}, err
		}
	}
	own, err := m.entry(ctx, "/", versions[0], older, 0, links, nil, 0)
	m.out.Bytes, m.out.Entries = own.bytes, own.entries
	return m.out, err
}

// version is an entry as it was.
type version struct {
	at    int // 0 is the newest
	entry tree.Entry
}

type measuring struct {
	out   Space
	seen  map[*tree.Link]bool
	depth int
}

type amount struct{ bytes, entries int64 }

// entry measures an entry that is as it was at version since, and maybe longer:
// older is what stood there before, the newest first. Links are those of a
// directory, link that of another entry.
func (m *measuring) entry(ctx context.Context, at string, e tree.Entry, older []version, since int, links tree.LinkView, link *tree.Link, level int) (amount, error) {
	for len(older) > 0 && sameSpace(e, older[0].entry) {
		since, older = older[0].at, older[1:]
	}
	var sum amount
	var place int
	if told := level <= m.depth; told {
		place = len(m.out.Paths)
		m.out.Paths = append(m.out.Paths, PathSpace{Path: at, Kind: e.Kind()})
		defer func() { m.out.Paths[place].Bytes, m.out.Paths[place].Entries = sum.bytes, sum.entries }()
	}
	if level > 0 || e.Kind() != tree.KindDirectory {
		m.out.Steps[standing(e, older, since)].Entries++
	}
	switch e := e.(type) {
	case tree.File:
		if link != nil {
			if m.seen[link] {
				return sum, nil
			}
			m.seen[link] = true
		}
		sum.bytes = e.Size
		m.out.Steps[since].Bytes += e.Size
	case tree.Tree:
		olderOf, err := histories(ctx, e, older)
		if err != nil {
			return sum, err
		}
		for c, err := range e.All(ctx) {
			if err == nil {
				err = ctx.Err()
			}
			if err != nil {
				return sum, err
			}
			of, err := m.child(ctx, at, c, olderOf(c), since, links, level)
			if err != nil {
				return sum, err
			}
			sum.bytes += of.bytes
			sum.entries += 1 + of.entries
		}
	}
	return sum, nil
}

// histories gives what stood before at the names of a directory: of versions that
// are the same, one after the other, the oldest. It costs what differs between one
// version and the next, not a look at each name in each.
func histories(ctx context.Context, dir tree.Tree, older []version) (func(tree.Child) []version, error) {
	type change struct {
		from int        // of older: since there, on to older ones
		to   tree.Entry // nil for nothing
	}
	changes := map[string][]change{}
	n := 0
	for newer := dir; n < len(older); n++ {
		was, ok := older[n].entry.(tree.Tree)
		if !ok {
			break
		}
		for c, err := range tree.Compare(ctx, was, newer) {
			if err != nil {
				return nil, err
			}
			changes[c.Name] = append(changes[c.Name], change{n, c.Old})
		}
		newer = was
	}
	return func(c tree.Child) []version {
		var out []version
		now := c.Entry
		for _, ch := range changes[c.Name] {
			if ch.from > 0 {
				out = append(out, version{older[ch.from-1].at, now})
			}
			if ch.to == nil {
				return out
			}
			now = ch.to
		}
		if n > 0 {
			out = append(out, version{older[n-1].at, now})
		}
		return out
	}, nil
}

func (m *measuring) child(ctx context.Context, at string, c tree.Child, older []version, since int, links tree.LinkView, level int) (amount, error) {
	below := tree.LinkView{}
	if sub, ok := c.Entry.(tree.Tree); ok {
		var err error
		if below, err = links.Below(ctx, c.Name, sub); err != nil {
			return amount{}, err
		}
	}
	return m.entry(ctx, path.Join(at, c.Name), c.Entry, older, since, below, links.Of(c.Name), level+1)
}

// standing gives the version since which an entry has been there: a directory, as
// some directory, whatever came into it.
func standing(e tree.Entry, older []version, since int) int {
	for _, v := range older {
		if e.Kind() != tree.KindDirectory || v.entry.Kind() != tree.KindDirectory {
			break
		}
		since = v.at
	}
	return since
}

// sameSpace tells whether two entries take the same space for the same reason:
// files of one content, whatever their attributes, and equal directories.
func sameSpace(a, b tree.Entry) bool {
	x, isFile := a.(tree.File)
	y, wasFile := b.(tree.File)
	if isFile && wasFile {
		return x.Size == y.Size && x.Content == y.Content
	}
	return tree.Equal(a, b)
}
