package prompt

import (
	"slices"
	"strings"
	"testing"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// What is completed is read as the name that was offered, however it was begun.
func TestWhatIsCompletedIsReadAsTheNameThatWasOffered(t *testing.T) {
	for _, name := range []string{"plain", "with space", `a"b`, "a$b", "a`b", `back\slash`, "it's", "#x", "a|b;(c)", "ü ñ", "~x*?"} {
		for _, begun := range []string{"cat ", "cat '", `cat "`, "cat p | ls '", "cat 'a | b' ", `cat "x`, "cat 'x'", `cat x"`, `cat x\ `} {
			typed := typing(begun)
			already := typed.args[len(typed.args)-1]
			rest, ok := typed.finish(name, false)
			if !ok {
				if typed.quote != '\'' || !strings.Contains(name, "'") {
					t.Errorf("%q is not offered behind %q", name, begun)
				}
				continue
			}
			if got := last(t, begun+rest); got != already+name {
				t.Errorf("%q is read as %q, want %q", begun+rest, got, already+name)
			}
		}
	}
	for line, want := range map[string][]string{
		"":                      {""},
		"  ls  ":                {"ls", ""},
		"from a | with-x '' b":  {"with-x", "", "b"},
		`a "b c" d\ e 'f`:       {"a", "b c", "d e", "f"},
		`x "$(from y`:           {"from", "y"},
		`with-env "A=\$x \y" z`: {"with-env", `A=$x \y`, "z"},
		"a 'b | c;":             {"a", "b | c;"},
	} {
		if got := typing(line).args; !slices.Equal(got, want) {
			t.Errorf("%q is %q, want %q", line, got, want)
		}
	}
	if s, ok := typing("cat ").finish("a\x1bb", false); ok {
		t.Errorf("a control character is offered as %q", s)
	}
}

// last gives the last argument of a line as the language reads it.
func last(t *testing.T, line string) string {
	file, err := syntax.NewParser().Parse(strings.NewReader(line), "")
	if err != nil {
		t.Errorf("%q: %v", line, err)
		return ""
	}
	var call *syntax.CallExpr
	syntax.Walk(file, func(n syntax.Node) bool {
		if c, ok := n.(*syntax.CallExpr); ok {
			call = c
		}
		return true
	})
	args, err := expand.Fields(nil, call.Args...)
	if err != nil || len(args) == 0 {
		t.Errorf("%q: %q, %v", line, args, err)
		return ""
	}
	return args[len(args)-1]
}
