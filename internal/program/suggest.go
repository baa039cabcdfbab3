package program

import (
	"path"
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/tree"
)

// Bounds of the search for something like what is missing.
const (
	maxNames  = 20000 // looked at in one directory
	maxOptDir = 64    // directories of /opt
	maxFound  = 3
)

// usual are the directories that programs are in.
func usual() []string {
	return []string{"/usr/local/bin", "/usr/local/sbin", "/usr/bin", "/usr/sbin", "/bin", "/sbin", "/opt/bin", "/usr/games", "/app", "/"}
}

// suggest says where in the view a program of the name is.
func (c *explainer) suggest(w *Why) error {
	if w.Role == Loader || w.Role == WorkingDirectory || w.Hint != "" {
		return nil
	}
	base := path.Base(w.Path)
	var found []string
	dirs, err := c.places()
	if err != nil {
		return err
	}
	for _, dir := range dirs {
		names, err := c.like(dir, base)
		if err != nil {
			return err
		}
		for _, n := range names {
			if !slices.Contains(found, n) {
				found = append(found, n)
			}
		}
	}
	exact := slices.ContainsFunc(found, func(p string) bool { return path.Base(p) == base })
	if exact {
		found = slices.DeleteFunc(found, func(p string) bool { return path.Base(p) != base })
	}
	if len(found) == 0 {
		return nil
	}
	w.Hint = "there is " + strings.Join(found[:min(len(found), maxFound)], ", ")
	return nil
}

// places gives the usual directories, and those of /opt.
func (c *explainer) places() ([]string, error) {
	dirs := usual()
	at, bad, err := c.resolve(c.root(), "/opt")
	if err != nil || bad != nil {
		return dirs, ignoreUnknown(err)
	}
	opt, ok := at.entry.(tree.Tree)
	if !ok || at.mount != nil && at.mount.Entry == nil {
		return dirs, nil
	}
	n := 0
	for child, err := range opt.All(c.ctx) {
		if err != nil {
			return nil, err
		}
		if n++; n > maxOptDir {
			break
		}
		dirs = append(dirs, "/opt/"+child.Name+"/bin", "/opt/"+child.Name)
	}
	return dirs, nil
}

// like gives the programs in a directory that have the name, or the name with a
// version.
func (c *explainer) like(dir, base string) ([]string, error) {
	at, bad, err := c.resolve(c.root(), dir)
	if err != nil || bad != nil {
		return nil, ignoreUnknown(err)
	}
	t, ok := at.entry.(tree.Tree)
	if !ok || at.mount != nil && at.mount.Entry == nil {
		return nil, nil
	}
	var found []string
	n := 0
	for child, err := range t.All(c.ctx) {
		if err != nil {
			return nil, err
		}
		if n++; n > maxNames {
			break
		}
		rest, ok := strings.CutPrefix(child.Name, base)
		if !ok || strings.Trim(rest, "0123456789.-") != "" {
			continue
		}
		p := join(at.path, child.Name)
		if ok, err := c.runs(p); err != nil {
			return nil, err
		} else if ok {
			found = append(found, p)
		}
	}
	return found, nil
}

// runs tells whether a path leads to a file that may be executed.
func (c *explainer) runs(p string) (bool, error) {
	at, bad, err := c.resolve(c.root(), p)
	if err != nil || bad != nil {
		return false, ignoreUnknown(err)
	}
	if _, isFile := at.entry.(tree.File); !isFile {
		return false, nil
	}
	ok, err := c.may(at.entry)
	return ok, ignoreUnknown(err)
}

func ignoreUnknown(err error) error {
	if err == errUnknown {
		return nil
	}
	return err
}
