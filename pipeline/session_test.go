package pipeline

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay"
	"github.com/inlaybuild/inlay/graph"
	"pgregory.net/rapid"
)

func newTestSession(r *recorder) (*Session, *[]string) {
	var printed []string
	return NewSession(Environment{
		Client: inlay.NewClient(r, nil),
		Print: func(_ context.Context, o Output) error {
			printed = append(printed, fmt.Sprintf("%T", o))
			return nil
		},
	}, nil), &printed
}

func TestEachWordOfASessionMakesAValueThatStays(t *testing.T) {
	s, printed := newTestSession(&recorder{})
	for _, line := range []string{
		"from debian:12",
		"with-new-file /a 'one two' | with-env A=1",
		"entries /",
		"from busybox",
		`box="$(from b | digest)"; with-directory /box $v3`,
		"file /etc/passwd",
		"with-new-file /b \"$box\"",
	} {
		if err := s.Run(t.Context(), line); (err != nil) != (line == "with-new-file /b \"$box\"") {
			t.Fatalf("%s: %v", line, err)
		}
	}
	var got []string
	for _, v := range s.Values() {
		got = append(got, fmt.Sprintf("v%d of v%d: %s, %s", v.Number, v.From, v.Word, v.Kind))
	}
	want := []string{
		"v1 of v0: from debian:12, a file system", "v2 of v1: with-new-file /a 'one two', a file system", "v3 of v2: with-env A=1, a file system",
		"v4 of v0: from busybox, a file system", "v5 of v4: with-directory /box $v3, a file system", "v6 of v5: file /etc/passwd, a file",
	}
	if !slices.Equal(got, want) {
		t.Errorf("values %q", got)
	}
	if !slices.Equal(*printed, []string{"pipeline.Names"}) || !slices.Equal(s.Names(), []string{"box", "v1", "v2", "v3", "v4", "v5", "v6"}) {
		t.Errorf("printed %s, names %s", *printed, s.Names())
	}
	if err := s.Use(2); err != nil {
		t.Error(err)
	}
	s.Note("ls\n/")
	wantScript := `v1=$(from debian:12)
v2=$(from $v1 | with-new-file /a 'one two')
v3=$(from $v2 | with-env A=1)
from $v3 | entries /
v4=$(from busybox)
box="$(from b | digest)"
v5=$(from $v4 | with-directory /box $v3)
v6=$(from $v5 | file /etc/passwd)
# ls /
from $v2
`
	if got := s.Script(); got != wantScript {
		t.Errorf("the script is\n%s", got)
	}
}

func TestAnErrorLeavesTheValueAsItWas(t *testing.T) {
	r := &recorder{}
	s, _ := newTestSession(r)
	for _, bad := range []string{"with-env A=1", "from", "nope", "x | y", "from a | from b", "v1=$(from a)", "from a |", "from 'a"} {
		err := s.Run(t.Context(), bad)
		var se *SyntaxError
		if !errors.As(err, &se) || se.Incomplete != (bad == "from a |" || bad == "from 'a") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if _, ok := s.Current(); ok || s.Script() != "" || s.Undo() {
		t.Errorf("there is a value, or a script: %q", s.Script())
	}
	if err := s.Run(t.Context(), "from a"); err != nil {
		t.Fatal(err)
	}
	r.fail = errors.New("broken")
	if err := s.Run(t.Context(), "with-exec false"); err == nil || !strings.Contains(err.Error(), "with-exec: broken") {
		t.Error(err)
	}
	r.fail = nil
	if err := s.Run(t.Context(), "with-env A=1 | with-env $nope=1"); err == nil {
		t.Error("no error")
	}
	if now, _ := s.Current(); now.Number != 1 || len(s.Values()) != 2 {
		t.Errorf("v%d of %d", now.Number, len(s.Values()))
	}
	if err := s.Use(3); err == nil || err.Error() != "there is no value v3: want v1 to v2" {
		t.Error(err)
	}
}

// shape is a graph without what tells its nodes apart in memory.
func shape(n *graph.Node) any {
	var in []any
	for _, i := range n.Inputs() {
		in = append(in, shape(i))
	}
	return []any{n.Op(), in}
}

// Whatever was done in a session, its script is one that can be run, and comes to
// the current value.
func TestTheScriptOfASessionComesToItsValue(t *testing.T) {
	lines := []string{
		"from a", "from b | with-env X='1 2'", "with-new-file /x \"a $(from c | digest) b\"", "with-env B=\\$x", "directory /etc",
		"entries /", "file /etc/x", "contents", "with-exec -- sh -c 'echo \"$HOME\" | cat > /x'", "diff $(from d)", "changes",
		"with-file /x $(from a | file /y)", "X=$(from q | with-env A=1)", "with-directory /x $X", "with-directory / $v1", "nope", "with-env",
		"with-mounted-temp /tmp | with-exec make", "export tar:x", "with-env A=1;  with-env B=2 # both",
	}
	rapid.Check(t, func(t *rapid.T) {
		s, _ := newTestSession(&recorder{})
		for range rapid.IntRange(1, 15).Draw(t, "lines") {
			switch line := rapid.SampledFrom(append(lines, "undo", "use")).Draw(t, "line"); line {
			case "undo":
				s.Undo()
			case "use":
				_ = s.Use(rapid.IntRange(1, 9).Draw(t, "value"))
			default:
				before, _ := s.Current()
				if err := s.Run(context.Background(), line); err != nil {
					if now, _ := s.Current(); now.Number != before.Number {
						t.Fatalf("%s: %v, and the value is v%d", line, err, now.Number)
					}
				}
			}
		}
		now, ok := s.Current()
		if !ok {
			return
		}
		script, err := Parse("", s.Script())
		if err != nil {
			t.Fatalf("%v\n%s", err, s.Script())
		}
		again := &recorder{}
		err = script.Run(context.Background(), Environment{Client: inlay.NewClient(again, nil)})
		if err != nil {
			t.Fatalf("%v\n%s", err, s.Script())
		}
		asked := func(n *graph.Node) bool {
			return slices.ContainsFunc(again.asked, func(m *graph.Node) bool { return reflect.DeepEqual(shape(m), shape(n)) })
		}
		wanted := []*graph.Node{now.Node()}
		if _, ok := now.Node().Op().(graph.Diff); ok && !asked(now.Node()) {
			wanted = now.Node().Inputs() // which is what `changes` asks for
		}
		for _, n := range wanted {
			if !asked(n) {
				t.Fatalf("v%d is not made by\n%s", now.Number, s.Script())
			}
		}
	})
}
