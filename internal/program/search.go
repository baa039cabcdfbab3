package program

import (
	"os/exec"
	"path"
	"strings"
	"syscall"

	"github.com/inlaybuild/inlay/tree"
)

// search looks a program up in PATH, as the runtime does: exec.LookPath of Go,
// with the rights of the process.
func (c *explainer) search(name string) (string, *Why, error) {
	if name == "" || name == "." || name == ".." {
		return "", c.why(subject{role: Program, path: name}, exec.ErrNotFound, NotInPath, "", ""), nil
	}
	var refused *Why
	var bad []badDirectory
	for dir := range strings.SplitSeq(c.process.Path, ":") {
		if dir == "" {
			dir = "."
		}
		file := path.Join(dir, name)
		at, no, err := c.resolve(c.cwd, file)
		if err != nil {
			return "", nil, err
		}
		if no != nil {
			if b, err := c.directory(dir, name, no); err != nil {
				return "", nil, err
			} else if b != nil {
				bad = append(bad, *b)
			}
			continue
		}
		if at.entry.Kind() == tree.KindDirectory {
			continue
		}
		ok, err := c.may(at.entry)
		if err != nil {
			return "", nil, err
		}
		s := subject{role: Program, path: file}
		switch {
		case ok && path.IsAbs(file):
			return file, nil, nil
		case ok:
			return "", c.sayRelative(s, dir, at), nil
		case refused == nil:
			refused = c.why(s, exec.ErrNotFound, NotExecutable, at.path, "")
			refused.Mode = at.entry.Attr().Mode
			c.sayMode(refused, at.entry.Attr())
		}
	}
	if refused != nil {
		return "", refused, nil
	}
	return "", c.sayNotInPath(name, bad), nil
}

// badDirectory is a directory of PATH in which nothing can be found.
type badDirectory struct {
	path string
	why  string // "" if it just does not exist
}

// directory tells what is wrong with a directory of PATH, if it is: no is why
// nothing was found in it.
func (c *explainer) directory(dir, name string, no *fault) (*badDirectory, error) {
	at, bad, err := c.resolve(c.cwd, path.Clean(dir))
	switch {
	case err != nil:
		return nil, err
	case bad != nil && bad.errno == syscall.ENOENT && len(bad.hops) == 0:
		return &badDirectory{path: dir}, nil
	case bad != nil:
		return &badDirectory{dir, "leads nowhere: " + bad.words(dir)}, nil
	case at.entry.Kind() != tree.KindDirectory:
		return &badDirectory{dir, "is a " + at.entry.Kind().String()}, nil
	case no.errno == syscall.ENOENT && len(no.hops) > 0 && no.at != join(at.path, name):
		return &badDirectory{join(dir, name), "leads nowhere: " + no.words(join(dir, name))}, nil
	case no.errno == syscall.EACCES && no.at == at.path:
		return &badDirectory{dir, "cannot be searched by this user"}, nil
	}
	return nil, nil
}
