package peers

import (
	"context"
	"path"
	"strings"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
)

// job is a copy as commands see it, whose paths are those in the chroot.
type job struct {
	treetest.Case
	from    []string // the sources, patterns expanded
	isDir   []bool   // which of them lead to directories
	to      string
	intoDir bool // the destination leads to a directory that exists
}

// newJob tells what a copy is about, as a shell would before it calls a program:
// patterns are expanded, and one that nothing matches stays as it is.
func newJob(c treetest.Case) (job, error) {
	j := job{Case: c}
	src, err := c.Src.Tree()
	if err != nil {
		return j, err
	}
	dst, err := c.Dst.Tree()
	if err != nil {
		return j, err
	}
	from, to := c.From()
	j.to = to
	for _, p := range from {
		itself, ok := treetest.Plain(p)
		found := []string{itself}
		if !ok {
			if found, err = compose.Glob(context.Background(), src, p); err != nil {
				return j, err
			}
			if len(found) == 0 {
				found = []string{p}
			}
		}
		j.from = append(j.from, found...)
	}
	follow := tree.FollowAll
	if c.Options.KeepLink {
		follow = tree.FollowParents
	}
	for _, p := range j.from {
		j.isDir = append(j.isDir, leadsToDir(src, p, follow))
	}
	follow = tree.FollowAll
	if c.Options.Overlay {
		follow = tree.FollowNone
	}
	j.intoDir = leadsToDir(dst, to, follow)
	return j, nil
}

func leadsToDir(t tree.Tree, p string, f tree.Follow) bool {
	r, err := tree.Resolve(context.Background(), t, p, f)
	return err == nil && r.Entry != nil && r.Entry.Kind() == tree.KindDirectory
}

// source gives the path in the chroot of a source.
func (j job) source(n int) string { return path.Join("/"+kitName+"/src", j.from[n]) }

// contents gives the paths of all sources; suffix stands behind those of
// directories, and says that what they hold is meant.
func (j job) contents(suffix string) []string {
	var out []string
	for n := range j.from {
		p := j.source(n)
		if j.isDir[n] {
			p += suffix
		}
		out = append(out, p)
	}
	return out
}

// has tells whether the case has options that none of the peers has.
func (j job) has() bool {
	o := j.Options
	return o.Time != "" || len(o.Include) > 0 || o.Gitignore
}

// plainExcludes tells whether what is excluded is said without exceptions, which
// every program has its own language for.
func (j job) plainExcludes() bool {
	for _, p := range j.Options.Exclude {
		if strings.HasPrefix(p, "!") {
			return false
		}
	}
	return true
}
