package buildkit

import (
	"context"
	"hash/fnv"
	"path"
	"strings"

	"github.com/inlaybuild/inlay/tree"
)

// A large tree goes up as several layers, so that a daemon which has an earlier state
// of it asks for those that changed alone: each file that is worth it is in one that its
// path chooses, and all the rest is in the last, which has every directory with its
// attributes.

const (
	splitFrom = 8 << 20  // bytes that a tree has that is split
	worthFrom = 16 << 10 // bytes that a file has that is worth it
	splitInto = 16
)

// split gives the layers of a tree, the last one with all directories.
func split(ctx context.Context, t tree.Tree) ([]tree.Tree, error) {
	if t.Bytes() < splitFrom {
		return []tree.Tree{t}, nil
	}
	groups, err := t.Links(ctx)
	if err != nil {
		return nil, err
	}
	linked := map[string]bool{}
	for _, g := range groups {
		for _, p := range g {
			linked[p] = true
		}
	}
	var drafts [splitInto]*tree.Draft
	rest := tree.NewDraft(t)
	for it, err := range tree.Walk(ctx, t, tree.WalkOptions{}) {
		if err != nil {
			return nil, err
		}
		f, ok := it.Entry.(tree.File)
		if !ok || f.Size < worthFrom || linked[it.Path] {
			continue
		}
		h := fnv.New32a()
		h.Write([]byte(it.Path))
		d := &drafts[h.Sum32()%splitInto]
		if *d == nil {
			*d = tree.NewDraft(tree.Empty())
		}
		if err := move(ctx, it.Path, f, rest, *d); err != nil {
			return nil, err
		}
	}
	var out []tree.Tree
	for _, d := range append(drafts[:], rest) {
		if d == nil {
			continue
		}
		l, err := d.Tree(ctx)
		if err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	return out, nil
}

// move takes a file out of one tree and puts it into another, with directories that
// lead to it.
func move(ctx context.Context, p string, f tree.File, from, to *tree.Draft) error {
	dir, name := path.Split(strings.TrimPrefix(p, "/"))
	for part := range strings.SplitSeq(strings.Trim(dir, "/"), "/") {
		if part == "" {
			continue
		}
		sub, _, err := from.Dir(ctx, part)
		if err != nil {
			return err
		}
		from = sub
		next, ok, err := to.Dir(ctx, part)
		if err != nil {
			return err
		}
		if !ok {
			next = to.MakeDir(part, tree.Empty().Attr())
		}
		to = next
	}
	from.Remove(name)
	to.Put(name, f)
	return nil
}
