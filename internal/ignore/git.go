package ignore

import (
	"bytes"
	"strings"
)

// Git is the rules of the .gitignore files that hold in a directory: its own,
// and those of the directories above it up to the root. A nil Git ignores
// nothing. It never changes, and may be used by several goroutines.
//
// The rules are those of gitignore(5). What an ignored directory holds is
// ignored with it: do not ask for it.
type Git struct {
	above *Git
	dir   string // of the file, "" or with a slash at its end
	rules []gitRule
}

// MaxGitignore is the size in bytes above which a .gitignore file is an error
// to whoever reads it.
const MaxGitignore = 4 << 20

type gitRule struct {
	pattern  string
	negated  bool
	dirOnly  bool
	anywhere bool // without a slash: for names at any depth
}

// Below gives the rules in a directory whose .gitignore file holds text.
func (g *Git) Below(dir string, text []byte) *Git {
	text = bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))
	var rules []gitRule
	for line := range bytes.Lines(text) {
		if r, ok := parseRule(string(line)); ok {
			rules = append(rules, r)
		}
	}
	if len(rules) == 0 {
		return g
	}
	if dir != "" {
		dir += "/"
	}
	return &Git{above: g, dir: dir, rules: rules}
}

// Ignores tells whether git would ignore the path.
func (g *Git) Ignores(path string, isDir bool) bool {
	base := path[strings.LastIndexByte(path, '/')+1:]
	for ; g != nil; g = g.above {
		rest := path[len(g.dir):]
		for i := len(g.rules) - 1; i >= 0; i-- {
			r := &g.rules[i]
			if r.dirOnly && !isDir {
				continue
			}
			if r.anywhere && wildMatch(r.pattern, base) || !r.anywhere && wildMatch(r.pattern, rest) {
				return !r.negated
			}
		}
	}
	return false
}

// parseRule reads one line.
func parseRule(line string) (gitRule, bool) {
	line = strings.TrimSuffix(line, "\n")
	if strings.HasPrefix(line, "#") {
		return gitRule{}, false
	}
	line = strings.TrimSuffix(line, "\r")
	if i := strings.IndexByte(line, 0); i >= 0 {
		line = line[:i]
	}
	line = trimSpaces(line)
	var r gitRule
	line, r.negated = strings.CutPrefix(line, "!")
	line, r.dirOnly = strings.CutSuffix(line, "/")
	r.anywhere = !strings.Contains(line, "/")
	r.pattern = strings.TrimPrefix(line, "/")
	return r, r.pattern != ""
}

// trimSpaces cuts spaces off the end, but for those behind a backslash.
func trimSpaces(s string) string {
	end := -1
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case ' ':
			if end < 0 {
				end = i
			}
			continue
		case '\\':
			if i++; i >= len(s) {
				return s
			}
		}
		end = -1
	}
	if end < 0 {
		return s
	}
	return s[:end]
}
