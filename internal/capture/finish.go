package capture

import (
	"context"
	"fmt"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/tree"
)

// done says that a part of a directory is captured.
func (w *walk) done(ctx context.Context, f *folder) error {
	for f != nil && f.left.Add(-1) == 0 {
		next, err := w.finish(ctx, f, true)
		if err != nil {
			return err
		}
		f = next
	}
	return nil
}

// leave gives up a directory that is not there any more.
func (w *walk) leave(ctx context.Context, f *folder, there bool) error {
	next, err := w.finish(ctx, f, there)
	if err != nil {
		return err
	}
	return w.done(ctx, next)
}

// finish makes a tree of a directory whose parts are all captured, and gives the
// directory above it.
func (w *walk) finish(ctx context.Context, f *folder, there bool) (*folder, error) {
	if !there || !f.keep && len(f.kids) == 0 {
		return f.above, nil
	}
	draft := tree.NewDraft(tree.Empty().With(f.attr))
	for _, k := range f.kids {
		draft.Put(k.Name, k.Entry)
	}
	t, err := draft.Tree(ctx)
	if err != nil {
		return nil, fmt.Errorf("capture %s: %w", w.at(f.path), err)
	}
	f.kids = nil
	if f.above == nil {
		w.result = t
		return nil, nil
	}
	w.count.entries.Add(1)
	f.above.mu.Lock()
	f.above.kids = append(f.above.kids, tree.Child{Name: f.name, Entry: t})
	f.above.mu.Unlock()
	return f.above, nil
}

// link gives the captured tree with its hardlinks.
func (w *walk) link(ctx context.Context) (tree.Tree, error) {
	draft := tree.NewDraft(w.result)
	linked := false
	for _, s := range w.inodes {
		if len(s.names) > 1 {
			draft.Link(s.names...)
			linked = true
		}
	}
	if !linked {
		return w.result, nil
	}
	t, err := draft.Tree(ctx)
	if err != nil {
		return t, fmt.Errorf("capture %s: %w", w.root, err)
	}
	return t, nil
}

// relies tells whether the capture took one of the digests from the cache.
func (w *walk) relies(lost map[digest.Digest]bool) bool {
	if len(lost) == 0 {
		return false
	}
	for _, part := range w.news {
		for _, r := range part {
			if lost[r.digest] && r.cached {
				return true
			}
		}
	}
	return false
}
