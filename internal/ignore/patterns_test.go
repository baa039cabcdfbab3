package ignore_test

import (
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/internal/ignore"
	"github.com/moby/patternmatcher"
	"pgregory.net/rapid"
)

// What a walk from the top keeps is what the library says of each path alone.
func TestPruningLosesNothing(t *testing.T) {
	part := rapid.SampledFrom([]string{"a", "b", "ab", "*", "**", "?", "a*", "[ab]", "[^a]"})
	pattern := rapid.Custom(func(t *rapid.T) string {
		return rapid.SampledFrom([]string{"", "", "", "!", "/", "!/"}).Draw(t, "front") +
			strings.Join(rapid.SliceOfN(part, 1, 4).Draw(t, "parts"), "/") +
			rapid.SampledFrom([]string{"", "", "/", " "}).Draw(t, "end")
	})
	rapid.Check(t, func(t *rapid.T) {
		include := rapid.SliceOfN(pattern, 0, 3).Draw(t, "include")
		exclude := rapid.SliceOfN(pattern, 0, 4).Draw(t, "exclude")
		p, err := ignore.NewPatterns(include, exclude)
		if err != nil {
			t.Skip(err)
		}
		in, ex := reference(t, include), reference(t, exclude)
		var walk func(dir string, st, ref states, reached bool)
		walk = func(dir string, st, ref states, reached bool) {
			for _, name := range []string{"a", "b", "ab"} {
				path := strings.TrimPrefix(dir+"/"+name, "/")
				want, next := true, ref
				if in != nil {
					want, next.in, _ = in.MatchesUsingParentResults(path, ref.in)
				}
				if ex != nil {
					out, info, _ := ex.MatchesUsingParentResults(path, ref.ex)
					want, next.ex = want && !out, info
				}
				v, s, err := p.Match(path, true, st.own)
				if err != nil {
					t.Fatal(err)
				}
				next.own = s
				if reached && v.Keep != want || !reached && want {
					t.Fatalf("%s: kept %t, want %t, reached %t", path, v.Keep, want, reached)
				}
				if strings.Count(path, "/") < 3 {
					walk(path, next, next, reached && v.Descend)
				}
			}
		}
		walk("", states{}, states{}, true)
	})
}

type states struct {
	own    ignore.State
	in, ex patternmatcher.MatchInfo
}

func reference(t *rapid.T, patterns []string) *patternmatcher.PatternMatcher {
	var clean []string
	for _, p := range patterns {
		p = strings.TrimSpace(p)
		not := strings.HasPrefix(p, "!")
		p = strings.Trim(strings.TrimPrefix(p, "!"), "/")
		if not {
			p = "!" + p
		}
		clean = append(clean, p)
	}
	if len(clean) == 0 {
		return nil
	}
	m, err := patternmatcher.New(clean)
	if err != nil {
		t.Skip(err)
	}
	return m
}

func TestMalformedPatternsAreErrors(t *testing.T) {
	for _, p := range []string{"[", "a/[b", "!"} {
		if _, err := ignore.NewPatterns(nil, []string{p}); err == nil {
			t.Errorf("%q is accepted", p)
		}
	}
}
