package model

import (
	"path"
	"slices"
	"strings"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/internal/ignore"
	"github.com/moby/patternmatcher"
)

// selected gives what options select of the directory from: what matches, and
// the directories that lead to it.
func (f FS) selected(from string, o compose.Options) (FS, error) {
	kept := FS{from: f[from]}
	for _, p := range f.below(from) {
		keep, err := f.keeps(from, p, o)
		if err != nil {
			return nil, err
		}
		for ; keep && p != from; p = path.Dir(p) {
			kept[p] = f[p]
		}
	}
	return kept, nil
}

// keeps tells whether the path p below the directory from is kept for its own
// sake.
func (f FS) keeps(from, p string, o compose.Options) (bool, error) {
	rel := strings.TrimPrefix(strings.TrimPrefix(p, from), "/")
	if len(o.Include) > 0 {
		if ok, err := matches(o.Include, rel); !ok || err != nil {
			return false, err
		}
	}
	if ok, err := matches(o.Exclude, rel); ok || err != nil {
		return false, err
	}
	return !o.Gitignore || !f.ignored(from, p), nil
}

// matches asks moby's matcher, which is told of the parents first.
func matches(patterns []string, rel string) (bool, error) {
	trimmed := make([]string, len(patterns))
	for n, p := range patterns {
		not := ""
		if p, not = strings.TrimPrefix(p, "!"), p[:len(p)-len(strings.TrimPrefix(p, "!"))]; true {
			trimmed[n] = not + strings.TrimLeft(p, "/")
		}
	}
	m, err := patternmatcher.New(trimmed)
	if err != nil {
		return false, ErrRefused
	}
	var ok bool
	var info patternmatcher.MatchInfo
	names := strings.Split(rel, "/")
	for n := range names {
		if ok, info, err = m.MatchesUsingParentResults(strings.Join(names[:n+1], "/"), info); err != nil {
			return false, err
		}
	}
	return ok, nil
}

// ignored tells whether the .gitignore files of the directory from and of those
// on the way to p make git ignore p, or a directory that leads to it.
func (f FS) ignored(from, p string) bool {
	if p == from {
		return false
	}
	if f.ignored(from, path.Dir(p)) {
		return true
	}
	var rules *ignore.Git
	var dirs []string
	for d := path.Dir(p); ; d = path.Dir(d) {
		dirs = append(dirs, d)
		if d == from {
			break
		}
	}
	rel := func(p string) string { return strings.TrimPrefix(strings.TrimPrefix(p, from), "/") }
	for _, d := range slices.Backward(dirs) {
		if n := f[path.Join(d, ".gitignore")]; n != nil && n.Text != "" {
			rules = rules.Below(rel(d), []byte(n.Text))
		}
	}
	return rules.Ignores(rel(p), f.isDir(p))
}

// Glob gives the paths that match a pattern, in bytewise order.
func (f FS) Glob(pattern string) ([]string, error) {
	names := strings.Split(clean(pattern)[1:], "/")
	for _, n := range names {
		if _, err := path.Match(n, ""); err != nil {
			return nil, ErrRefused
		}
	}
	found := map[string]bool{}
	f.glob("/", names, found)
	var out []string
	for p := range found {
		out = append(out, p)
	}
	slices.Sort(out)
	return out, nil
}

// glob adds what the names of a pattern match at and below p.
func (f FS) glob(p string, names []string, found map[string]bool) {
	if len(names) == 0 || names[0] == "" {
		found[p] = true
		return
	}
	at, err := f.resolve(p, true)
	if err != nil || !f.isDir(at) {
		return
	}
	if names[0] == "**" && len(names) > 1 {
		f.glob(p, names[1:], found)
	}
	for _, n := range f.names(at) {
		q := path.Join(p, n)
		if names[0] == "**" {
			if len(names) == 1 {
				found[q] = true
			}
			if f.isDir(path.Join(at, n)) {
				f.glob(q, names, found)
			}
		} else if ok, _ := path.Match(names[0], n); ok {
			f.glob(q, names[1:], found)
		}
	}
}
