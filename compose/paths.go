package compose

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/inlaybuild/inlay/tree"
)

// Remove gives t without what paths or patterns lead to, with all below it.
// Parents are followed, a last symlink is taken away itself. A path that does
// not exist is no error; the root cannot be removed.
//
// All paths are followed through t as it is: what one takes away leads the others
// where it always did.
func Remove(ctx context.Context, t tree.Tree, paths []string) (tree.Tree, error) {
	gone := map[string]bool{}
	for _, p := range paths {
		var found []string
		one, ok := plain(p)
		if ok {
			found = []string{one}
		} else {
			var err error
			if found, err = Glob(ctx, t, p); err != nil {
				return tree.Tree{}, err
			}
		}
		for _, q := range found {
			at, err := removable(ctx, t, q)
			if err != nil {
				return tree.Tree{}, err
			}
			if at != "" {
				gone[at] = true
			}
		}
	}
	d := tree.NewDraft(t)
	for at := range gone {
		if liesBelow(at, gone) {
			continue // it goes with what is above
		}
		dir, err := openDraft(ctx, d, path.Dir(at))
		if err != nil {
			return tree.Tree{}, err
		}
		dir.Remove(path.Base(at))
	}
	return d.Tree(ctx)
}

// removable gives where a path leads, without symlinks; "" for nowhere.
func removable(ctx context.Context, t tree.Tree, p string) (string, error) {
	r, err := tree.Resolve(ctx, t, p, tree.FollowParents)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, tree.ErrNotDirectory) {
		return "", nil
	}
	if err != nil || r.Entry == nil {
		return "", err
	}
	if r.Path == "/" {
		return "", &fs.PathError{Op: "remove", Path: p, Err: errors.New("it is the root")}
	}
	return r.Path, nil
}

// liesBelow tells whether a path is below one of the set.
func liesBelow(p string, set map[string]bool) bool {
	for p != "/" {
		if p = path.Dir(p); set[p] {
			return true
		}
	}
	return false
}

// openDraft gives the draft of the directory at a path without symlinks.
func openDraft(ctx context.Context, d *tree.Draft, p string) (*tree.Draft, error) {
	pl := &planner{ctx: ctx, draft: d}
	s, err := pl.makeDirs(p, nil)
	return s.dir, err
}

// Subtree gives the directory that a path leads to, sealed.
func Subtree(ctx context.Context, t tree.Tree, p string) (tree.Tree, error) {
	r, err := tree.Resolve(ctx, t, p, tree.FollowAll)
	if err != nil {
		return tree.Tree{}, err
	}
	if r.Entry == nil {
		return tree.Tree{}, missing("open", p, r)
	}
	sub, ok := r.Entry.(tree.Tree)
	if !ok {
		return tree.Tree{}, &fs.PathError{Op: "open", Path: p, Err: fmt.Errorf("is a %s: %w", r.Entry.Kind(), tree.ErrNotDirectory)}
	}
	return sub, nil
}

// missing is the error of a path that leads nowhere: it tells the symlink that
// does, and how far the path is there.
func missing(op, p string, r tree.Resolution) error {
	why := ""
	if n := len(r.Hops); n > 0 {
		why = fmt.Sprintf(" (%s is a symlink to %s)", r.Hops[n-1].Path, r.Hops[n-1].Target)
	}
	return &fs.PathError{Op: op, Path: p, Err: fmt.Errorf("%w%s; the nearest directory that exists is %s", fs.ErrNotExist, why, r.Nearest)}
}
