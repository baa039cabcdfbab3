package compose

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/inlaybuild/inlay/tree"
	"github.com/moby/patternmatcher"
)

// Select gives t without the entries that do not match one of the include
// patterns, if there are any, and without those that match the exclude patterns.
// Patterns are in the language of .dockerignore, relative to t. A directory that
// matches keeps all that it holds; one that only leads to entries that are kept
// is kept with its attributes. It costs what lies below directories that
// patterns look into.
func Select(ctx context.Context, t tree.Tree, include, exclude []string) (tree.Tree, error) {
	s := &selector{ctx: ctx}
	var err error
	if s.include, err = matcher(include); err != nil {
		return tree.Tree{}, err
	}
	if s.exclude, err = matcher(exclude); err != nil {
		return tree.Tree{}, err
	}
	d := tree.NewDraft(t)
	if _, err := s.dir(d, t, "", patternmatcher.MatchInfo{}, patternmatcher.MatchInfo{}); err != nil {
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
}

// dir takes what is not to be kept out of d, whose tree is t, and tells whether
// anything is left.
func (s *selector) dir(d *tree.Draft, t tree.Tree, at string, in, out patternmatcher.MatchInfo) (any bool, err error) {
	for c, err := range t.All(s.ctx) {
		if err == nil {
			err = s.ctx.Err()
		}
		if err != nil {
			return false, err
		}
		name := filepath.Join(at, c.Name)
		included, thisIn, err := match(s.include, name, in, true)
		if err != nil {
			return false, err
		}
		excluded, thisOut, err := match(s.exclude, name, out, false)
		if err != nil {
			return false, err
		}
		keep := included && !excluded
		sub, isTree := c.Entry.(tree.Tree)
		if isTree && s.looksInto(included, excluded) {
			below, _, err := d.Dir(s.ctx, c.Name)
			if err != nil {
				return false, err
			}
			left, err := s.dir(below, sub, name, thisIn, thisOut)
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

// looksInto tells whether entries of a directory may fare otherwise than itself.
func (s *selector) looksInto(included, excluded bool) bool {
	if excluded {
		return s.exclude.Exclusions()
	}
	return !included || s.exclude != nil || s.include != nil && s.include.Exclusions()
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
