package compose_test

import (
	"os"
	"testing"

	"github.com/inlaybuild/inlay/internal/treetest"
)

func TestTheNumberedCasesAreWhatTheModelDoes(t *testing.T) {
	text, err := os.ReadFile("../docs/cases.txt")
	if err != nil {
		t.Fatal(err)
	}
	cases, err := treetest.ParseNumbered(string(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		if what := disagreement(t, c.Case); what != "" {
			t.Errorf("%d. %s: %s\n%s", c.Number, c.Title, what, c.Case)
		}
	}
}
