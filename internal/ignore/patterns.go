package ignore

import (
	"fmt"
	"path"
	"strings"
	"sync"

	"github.com/moby/patternmatcher"
)

// Patterns keep what an include list matches and an exclude list does not, in
// the language of .dockerignore. They may be used by several goroutines.
type Patterns struct {
	include, exclude *list
}

// State is what matching a directory gives for matching what it holds. The zero
// State is that of the root.
type State struct {
	include, exclude patternmatcher.MatchInfo
}

// Verdict is what becomes of a path.
type Verdict struct {
	Keep    bool // the path itself is wanted
	Descend bool // the path is wanted, or something below it may be
}

// NewPatterns reads the lists. An empty include list matches everything. An
// error names the pattern that cannot be.
func NewPatterns(include, exclude []string) (*Patterns, error) {
	in, err := newList(include)
	if err != nil {
		return nil, fmt.Errorf("include: %w", err)
	}
	out, err := newList(exclude)
	if err != nil {
		return nil, fmt.Errorf("exclude: %w", err)
	}
	return &Patterns{in, out}, nil
}

// IsEmpty tells whether everything is kept.
func (p *Patterns) IsEmpty() bool { return p.include == nil && p.exclude == nil }

// Match tells what becomes of a path, and, for a directory, gives the State for
// what it holds. Parent is the State of the directory that holds the path.
func (p *Patterns) Match(name string, dir bool, parent State) (Verdict, State, error) {
	v := Verdict{Keep: true, Descend: dir}
	var st State
	if p.include != nil {
		ok, info, err := p.include.match(name, parent.include)
		if err != nil {
			return Verdict{}, st, err
		}
		st.include = info
		v.Keep = ok
		if !ok {
			v.Descend = dir && p.include.below(name, false)
		}
	}
	if p.exclude != nil && v.Descend || v.Keep && p.exclude != nil {
		ok, info, err := p.exclude.match(name, parent.exclude)
		if err != nil {
			return Verdict{}, st, err
		}
		st.exclude = info
		if ok {
			v.Keep = false
			v.Descend = v.Descend && p.exclude.below(name, true)
		}
	}
	return v, st, nil
}

// list is a list of patterns. A matcher of the library is for one goroutine, so
// there are several.
type list struct {
	matchers sync.Pool
	patterns []pattern
}

type pattern struct {
	parts   []string
	negated bool
}

func newList(patterns []string) (*list, error) {
	var clean []string
	for _, p := range patterns {
		if p = cleanPattern(p); p != "" {
			clean = append(clean, p)
		}
	}
	if len(clean) == 0 {
		return nil, nil
	}
	l := &list{}
	for _, c := range clean {
		if _, err := patternmatcher.New([]string{c}); err != nil {
			return nil, fmt.Errorf("pattern %q: %w", c, err)
		}
		// It compiles patterns when it first needs them, and only then.
		if _, err := patternmatcher.MatchesOrParentMatches("x", []string{strings.TrimPrefix(c, "!")}); err != nil {
			return nil, fmt.Errorf("pattern %q: %w", c, err)
		}
	}
	first, err := patternmatcher.New(clean)
	if err != nil {
		return nil, err
	}
	for _, p := range first.Patterns() {
		l.patterns = append(l.patterns, pattern{strings.Split(p.String(), "/"), p.Exclusion()})
	}
	l.matchers.New = func() any {
		m, err := patternmatcher.New(clean)
		if err != nil {
			panic(err) // the same patterns were accepted above
		}
		return m
	}
	l.matchers.Put(first)
	return l, nil
}

// cleanPattern cleans a pattern as the reader of .dockerignore files does.
func cleanPattern(p string) string {
	p = strings.TrimSpace(p)
	not := strings.HasPrefix(p, "!")
	if not {
		p = strings.TrimSpace(p[1:])
	}
	if p != "" {
		p = path.Clean(p)
		if len(p) > 1 && p[0] == '/' {
			p = p[1:]
		}
	}
	if not {
		p = "!" + p
	}
	return p
}

func (l *list) match(name string, parent patternmatcher.MatchInfo) (bool, patternmatcher.MatchInfo, error) {
	m := l.matchers.Get().(*patternmatcher.PatternMatcher)
	defer l.matchers.Put(m)
	ok, info, err := m.MatchesUsingParentResults(name, parent)
	if err != nil {
		return false, info, fmt.Errorf("match %q: %w", name, err)
	}
	return ok, info, nil
}

// below tells whether a pattern, negated or not, may match something in the
// directory that it does not match for the directory itself.
func (l *list) below(dir string, negated bool) bool {
	parts := strings.Split(dir, "/")
	for _, p := range l.patterns {
		if p.negated == negated && p.below(parts) {
			return true
		}
	}
	return false
}

func (p pattern) below(dir []string) bool {
	for i, name := range dir {
		if i >= len(p.parts) {
			return false
		}
		part := p.parts[i]
		if strings.Contains(part, "**") || strings.ContainsAny(part, `[\`) {
			return true
		}
		if ok, err := path.Match(part, name); err == nil && !ok {
			return false
		}
	}
	return len(p.parts) > len(dir)
}
