package compose_test

import (
	"os"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/internal/treetest"
)

// examples are the examples of docs/semantics.md: cases, and what they come to.
func examples(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile("../docs/semantics.md")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, part := range strings.Split(string(text), "```example\n")[1:] {
		body, _, _ := strings.Cut(part, "```")
		c, want, ok := strings.Cut(body, "-- gives --\n")
		if !ok {
			t.Fatalf("an example does not say what it gives:\n%s", body)
		}
		out[c] = strings.TrimSpace(want)
	}
	return out
}

func TestTheExamplesOfTheDocumentationHold(t *testing.T) {
	found := examples(t)
	if len(found) < 10 {
		t.Fatalf("only %d examples", len(found))
	}
	for text, want := range found {
		c, err := treetest.ParseCase(text)
		if err != nil {
			t.Errorf("%v\n%s", err, text)
			continue
		}
		isWhatTheModelDoes(t, c)
		out, _ := c.Run(t.Context())
		got := out.Failure
		switch {
		case out.Failure == "":
			got = treetest.Brief(c.Dst, out.Tree)
		case len(out.Forbidden) > 0:
			got += ": " + strings.Join(out.Forbidden, ", ")
		}
		if got != want {
			t.Errorf("got %s\n%s", got, text)
		}
	}
}
