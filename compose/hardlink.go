package compose

import (
	"context"
	"slices"

	"github.com/inlaybuild/inlay/tree"
)

// Hardlink gives t with another name for what the target leads to: both are one
// inode then, and so are all names that it had. The parents of both paths are
// followed, a symlink that they end in is not. What stands at the new path is
// replaced; missing parents are made. If the new path ends in a slash, the name
// goes into the directory that it leads to.
//
// A target that does not exist is an fs.ErrNotExist; a directory cannot have two
// names. It costs the depth of the paths, and the other names of the inode.
func Hardlink(ctx context.Context, t tree.Tree, target, at string, o Options) (Result, error) {
	e, err := openEdit(ctx, t, "hardlink", target, at, o)
	if err != nil {
		return Result{}, err
	}
	if isDirectory(e.entry) || e.to == "/" || within(e.from, e.to) && e.from != e.to {
		return Result{}, e.refuse(errLinkDirectory)
	}
	group, err := t.LinkGroup(ctx, e.from)
	if err != nil {
		return Result{}, err
	}
	if slices.Contains(group, e.to) {
		return Result{Tree: t}, nil
	}
	if err := e.put(); err != nil {
		return Result{}, err
	}
	// What was below the new name is gone.
	group = slices.DeleteFunc(group, func(p string) bool { return within(p, e.to) })
	e.draft.Link(append(group, e.to)...)
	return e.result()
}
