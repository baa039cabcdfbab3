package graph

import (
	"errors"
	"fmt"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/tree"
)

// NewFile puts a file with the given content into its input. The bytes must not be
// changed afterwards.
type NewFile struct {
	Path    string
	Content []byte
	Options CopyOptions // Mode "" is 0644
}

// NewDirectory makes a directory, with its parents, in its input. One that is
// there stays as it is, unless options say otherwise.
type NewDirectory struct {
	Path    string
	Options CopyOptions // Mode "" is 0755
}

// Symlink puts a symbolic link into its input.
type Symlink struct {
	Path    string
	Target  string
	Options CopyOptions
}

// Remove takes paths away from its input, with all below them. A symlink is
// taken away itself. A path that does not exist is no error.
type Remove struct {
	Paths []string // wildcards are possible
}

// Sub is the directory at a path of its input, sealed.
type Sub struct {
	Path string
}

// Name gives "with-new-file".
func (NewFile) Name() string { return "with-new-file" }

// Name gives "with-new-directory".
func (NewDirectory) Name() string { return "with-new-directory" }

// Name gives "with-symlink".
func (Symlink) Name() string { return "with-symlink" }

// Name gives "without".
func (Remove) Name() string { return "without" }

// Name gives "directory".
func (Sub) Name() string { return "directory" }

// Check looks at path and options.
func (f NewFile) Check() error { return checkNew(f.Path, f.Options) }

// Check looks at path and options.
func (d NewDirectory) Check() error { return checkNew(d.Path, d.Options) }

// Check looks at path, target and options.
func (s Symlink) Check() error {
	if s.Target == "" {
		return errors.New("the target of the symlink is missing")
	}
	return checkNew(s.Path, s.Options)
}

// Check looks at the paths.
func (r Remove) Check() error {
	if len(r.Paths) == 0 {
		return errors.New("the path is missing")
	}
	for _, p := range r.Paths {
		c, err := tree.CleanPath(p)
		if err != nil {
			return err
		}
		if c == "/" {
			return fmt.Errorf("%q is the root, which cannot be taken away; use a pattern such as /*", p)
		}
	}
	return nil
}

// Check looks at the path.
func (s Sub) Check() error {
	_, err := tree.CleanPath(s.Path)
	return err
}

func checkNew(p string, o CopyOptions) error {
	c, err := tree.CleanPath(p)
	if err != nil {
		return err
	}
	if p == "" || c == "/" {
		return errors.New("the path is missing")
	}
	if o.Existing == compose.ExistingReplace {
		return errors.New("existing: replace is for directories that are copied")
	}
	return o.check()
}

func (NewFile) op()      {}
func (NewDirectory) op() {}
func (Symlink) op()      {}
func (Remove) op()       {}
func (Sub) op()          {}
