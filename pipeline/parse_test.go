package pipeline

import (
	"errors"
	"strings"
	"testing"
)

func TestWhatIsWrongWithAScriptIsSaidWithItsPlace(t *testing.T) {
	for _, c := range []struct{ text, at, says string }{
		{"", "1:1", "there is no pipeline"},
		{"# nothing", "1:1", "there is no pipeline"},
		{"from a | wiht-file /x ./y", "1:10", `did you mean "with-file"?`},
		{"from a | frobnicate", "1:10", "inlay do --words"},
		{"from a |\n  with-file --mdoe 1 /x ./y", "2:13", "did you mean --mode?"},
		{"from a | with-file /x", "1:10", "an argument is missing; usage: with-file PATH FILE"},
		{"from a | with-file /x ./y ./z", "1:27", "one argument too many: ./z"},
		{"from a | with-file --mode", "1:20", "--mode wants a value"},
		{"from a | with-file --mode 1 --mode 2 /x ./y", "1:29", "given twice"},
		{"from a | with-file --overlay=1 /x ./y", "1:20", "takes no value"},
		{"from a | with-file --existing maybe /x ./y", "1:31", "merge or replace or forbid"},
		{"from a | with-file -m /x ./y", "1:20", "unknown flag -m"},
		{"with-file /x ./y", "1:1", "a pipeline starts with a source"},
		{"from a | from b", "1:10", "starts a pipeline"},
		{"from a | digest > x", "1:17", "not part of this language"},
		{"from a && from b", "1:8", "&& is not part"},
		{"from a |& digest", "1:8", "must be followed"},
		{"from a &", "1:8", "& is not part"},
		{"! from a", "1:1", "! is not part"},
		{"if true; then from a; fi", "1:1", "conditions"},
		{"f() { from a; }", "1:1", "functions"},
		{"X=1 from a", "1:1", "line of their own"},
		{"X+=1", "1:1", ""},
		{"$X a", "1:1", "written out"},
		{"from 'a", "1:6", "quote"},
		{"from $(from b | wiht-file)", "1:17", "did you mean"},
		{"from $(from b; from c)", "1:6", "one pipeline; this one has 2"},
		{"from $()", "1:6", "this one has 0"},
		{"X=$(from a | nope)", "1:14", "unknown word"},
		{"from \"${X:-$(nope)}\"", "1:14", "unknown word"},
		{"scratch x", "1:9", "one argument too many"},
		{"from a |", "1:8", ""},
	} {
		_, err := Parse("", c.text)
		var se *SyntaxError
		if !errors.As(err, &se) {
			t.Errorf("%q: %v, want a SyntaxError", c.text, err)
			continue
		}
		if se.Pos.String() != c.at || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%q: %v, want %s: ...%s...", c.text, err, c.at, c.says)
		}
	}
}

func TestScriptsThatAreRightParse(t *testing.T) {
	for _, text := range []string{
		"from a",
		"from a | digest",
		"from a |\n  # why\n  with-file /x ./y |\n  digest # end\n",
		"from a; from b",
		"X=1\nfrom $X | digest",
		"X=$(from a | file /b)\nscratch | with-file / $X",
		"from a | with-exec -- sh -c 'a | b > c && d'",
		"from a | with-exec ls -l --all",
		"from a | with-exec --env A=b --expect 1 -- --weird",
		"from a | with-exec",
		"from a | with-file $ARGS",
		"from a | with-file /x ./y --mode=0755",
		"from a | with-new-file /x -- --content",
		"from a | export oci:out | export tar:- ",
		`from "${X:-debian}" | stat`,
		"from a | with-entrypoint sh -c",
	} {
		if _, err := Parse("", text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestErrorsOfAFileNameIt(t *testing.T) {
	_, err := Parse("build.inlay", "from a\nfrom a | nope")
	if err == nil || !strings.HasPrefix(err.Error(), "build.inlay:2:10: ") {
		t.Error(err)
	}
}

func TestEveryExampleParses(t *testing.T) {
	for _, w := range Words() {
		if w.Short == "" || w.Example == "" || w.run == nil {
			t.Errorf("%s: help is missing", w.Name)
		}
		if _, err := Parse("", w.Example); err != nil {
			t.Errorf("%s: %v", w.Name, err)
		}
		if !strings.Contains(w.Example, w.Name) {
			t.Errorf("%s: the example is of something else", w.Name)
		}
		seen := map[string]bool{}
		for _, f := range w.Flags {
			if seen[f.Name] || f.Help == "" {
				t.Errorf("%s --%s: twice, or without help", w.Name, f.Name)
			}
			seen[f.Name] = true
		}
	}
}

func TestWordsAreUnique(t *testing.T) {
	seen := map[string]bool{}
	for _, w := range Words() {
		if seen[w.Name] {
			t.Errorf("%s twice", w.Name)
		}
		seen[w.Name] = true
	}
}

func FuzzParse(f *testing.F) {
	for _, w := range Words() {
		f.Add(w.Example)
	}
	f.Add("X=$(from a)\n from \"$X\" | with-exec -- ${X:-y} {a,b} ~ `from b`")
	f.Fuzz(func(t *testing.T, text string) {
		_, err := Parse("f", text)
		var se *SyntaxError
		if err != nil && (!errors.As(err, &se) || se.Pos.Line == 0 || se.Pos.Col == 0) {
			t.Fatalf("%q: no place: %v", text, err)
		}
	})
}
