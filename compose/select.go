package compose

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/inlaybuild/inlay/internal/ignore"
	"github.com/inlaybuild/inlay/tree"
	"github.com/moby/patternmatcher"
)

// Selection says what of a directory is kept. The zero Selection keeps all.
type Selection struct {
	// Include keeps only what matches one of these patterns, which are in the
	// language of .dockerignore and relative to the directory. Empty keeps all.
	Include []string
	// Exclude leaves out what matches these patterns, of the same language.
	Exclude []string
	// Gitignore leaves out what the .gitignore files in the directory make git
	// ignore. Bodies opens them.
	Gitignore bool
	Bodies    tree.Contents

	of string // the path of the directory in the tree that it is from
}

// Select gives t without the entries that are not selected. A directory that
// matches keeps all that it holds; one that only leads to entries that are kept
// is kept with its attributes. It costs what lies below directories that
// patterns look into; with Gitignore, all of t.
func Select(ctx context.Context, t tree.Tree, what Selection) (tree.Tree, error) {
	return selectIn(ctx, t, t, what)
}

// selectIn is [Select] of the directory t, which is in the tree root: the
// .gitignore files on the way to it count.
func selectIn(ctx context.Context, root, t tree.Tree, what Selection) (tree.Tree, error) {
	s := &selector{ctx: ctx, git: what.Gitignore, bodies: what.Bodies}
	top, err := s.above(root, strings.Trim(what.of, "/"))
	if err != nil {
		return tree.Tree{}, err
	}
	if s.include, err = matcher(what.Include); err != nil {
		return tree.Tree{}, err
	}
	if s.exclude, err = matcher(what.Exclude); err != nil {
		return tree.Tree{}, err
	}
	d := tree.NewDraft(t)
	if _, err := s.dir(d, t, top); err != nil {
		return tree.Tree{}, err
	}
	return d.Tree(ctx)
}

func matcher(patterns []string) (*patternmatcher.PatternMatcher, error) {
	if len(patterns) == 0 {
		return nil, nil
	}
	rel := make([]string, len(patterns))
	for i, p := range patterns {
		not := strings.HasPrefix(p, "!")
		rel[i] = strings.TrimLeft(strings.TrimPrefix(p, "!"), "/")
		if not {
			rel[i] = "!" + rel[i]
		}
	}
	m, err := patternmatcher.New(rel)
	if err != nil {
		return nil, fmt.Errorf("patterns %q: %w", patterns, err)
	}
	return m, nil
}

type selector struct {
	ctx              context.Context // of the one call of Select that made it
	include, exclude *patternmatcher.PatternMatcher
	git              bool
	bodies           tree.Contents
}

// below is what is known of a directory when what it holds is selected.
type below struct {
	path    string // relative to what is selected from; "" for that itself
	full    string // relative to the root of the tree
	in, out patternmatcher.MatchInfo
	git     *ignore.Git // the rules of the directories above
}

// above gives what is known of the directory at a path of a tree before it is
// looked into.
func (s *selector) above(root tree.Tree, p string) (below, error) {
	at := below{full: p}
	if !s.git || p == "" {
		return at, nil
	}
	dir, full := root, ""
	for name := range strings.SplitSeq(p, "/") {
		rules, err := s.rules(dir, below{full: full, git: at.git})
		if err != nil {
			return at, err
		}
		e, _, err := dir.Get(s.ctx, name)
		if err != nil {
			return at, err
		}
		at.git = rules
		dir, _ = e.(tree.Tree)
		full = path.Join(full, name)
	}
	return at, nil
}

// dir takes what is not to be kept out of d, whose tree is t, and tells whether
// anything is left.
func (s *selector) dir(d *tree.Draft, t tree.Tree, at below) (any bool, err error) {
	rules, err := s.rules(t, at)
	if err != nil {
		return false, err
	}
	for c, err := range t.All(s.ctx) {
		if err == nil {
			err = s.ctx.Err()
		}
		if err != nil {
			return false, err
		}
		next := below{path: path.Join(at.path, c.Name), full: path.Join(at.full, c.Name), git: rules}
		sub, isTree := c.Entry.(tree.Tree)
		if rules.Ignores(next.full, isTree) {
			d.Remove(c.Name)
			continue
		}
		var included, excluded bool
		if included, next.in, err = match(s.include, next.path, at.in, true); err != nil {
			return false, err
		}
		if excluded, next.out, err = match(s.exclude, next.path, at.out, false); err != nil {
			return false, err
		}
		keep := included && !excluded
		if isTree && s.looksInto(included, excluded) {
			below, _, err := d.Dir(s.ctx, c.Name)
			if err != nil {
				return false, err
			}
			left, err := s.dir(below, sub, next)
			if err != nil {
				return false, err
			}
			keep = keep || left
		}
		if keep {
			any = true
		} else {
			d.Remove(c.Name)
		}
	}
	return any, nil
}

// rules gives the rules of .gitignore files that hold in a directory: git reads
// regular files alone.
func (s *selector) rules(t tree.Tree, at below) (*ignore.Git, error) {
	if !s.git {
		return nil, nil
	}
	e, _, err := t.Get(s.ctx, ".gitignore")
	f, isFile := e.(tree.File)
	if err != nil || !isFile || f.Size == 0 {
		return at.git, err
	}
	fail := func(err error) error {
		return &fs.PathError{Op: "read", Path: path.Join("/", at.full, ".gitignore"), Err: err}
	}
	if f.Size > ignore.MaxGitignore {
		return nil, fail(fmt.Errorf("it has %d bytes, at most %d are possible", f.Size, ignore.MaxGitignore))
	}
	if s.bodies == nil {
		return nil, fail(errors.New("what files hold is not at hand"))
	}
	r, err := s.bodies.OpenContent(s.ctx, f.Content)
	if err != nil {
		return nil, fail(err)
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, ignore.MaxGitignore))
	if err != nil {
		return nil, fail(err)
	}
	return at.git.Below(at.full, text), nil
}

// looksInto tells whether entries of a directory may fare otherwise than itself.
func (s *selector) looksInto(included, excluded bool) bool {
	if excluded {
		return s.exclude.Exclusions()
	}
	return s.git || !included || s.exclude != nil || s.include != nil && s.include.Exclusions()
}

func match(m *patternmatcher.PatternMatcher, name string, parent patternmatcher.MatchInfo, otherwise bool) (bool, patternmatcher.MatchInfo, error) {
	if m == nil {
		return otherwise, parent, nil
	}
	ok, info, err := m.MatchesUsingParentResults(name, parent)
	if err != nil {
		return false, info, fmt.Errorf("match %s: %w", name, err)
	}
	return ok, info, nil
}
