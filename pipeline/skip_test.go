package pipeline

import (
	"errors"
	"slices"
	"testing"

	"github.com/inlaybuild/inlay"
	"github.com/inlaybuild/inlay/graph"
)

// Everything behind the word that failed is planned, nothing of it is resolved or
// read, and no node is planned that was resolved or failed before.
func TestWhatIsBehindAFailureIsPlanned(t *testing.T) {
	for _, c := range []struct {
		script string
		want   []string // the calls of all nodes that are planned, without those that were asked for
	}{
		{"from a | digest | with-exec b", []string{"with-exec b"}},
		{"from a | export tar:x | with-exec b | with-exec c", []string{"with-exec b", "with-exec c"}},
		{"from a; from b | with-file /x $(from c | file /y)", []string{"from b", "from c", "with-file /x $(...)"}},
		{"from a; x=$(from b); from $x | digest; from $x | with-exec c", []string{"from b", "with-exec c"}},
		{"from a; x=$(from b | stdout); scratch | with-env A $x", []string{"from b", "scratch", "with-env A"}},
		{"from b | with-env A $(from a | stdout) | with-exec c", []string{"from b", "with-env A", "with-exec c"}},
		{"from b | with-mode $(from a | stdout) / | with-exec c", []string{"from b", "with-exec c"}},
		{"from a; from b | with-exec --stdin @/dev/zero c", []string{"from b", "with-exec c"}},
		{"from a; from b | file /x | contents", []string{"from b"}},
		{"from $(from a | stdout) | with-exec c; from d", []string{"from '$(...)'", "with-exec c", "from d"}},
		{"x=$(from a | digest); from d | with-env V x$x", []string{"from d", "with-env V"}},
	} {
		s, err := Parse("", c.script)
		if err != nil {
			t.Fatal(err)
		}
		fails := errors.New("fails")
		r := &recorder{fail: fails}
		var got []string
		seen := map[*graph.Node]bool{}
		err = s.Run(t.Context(), Environment{Client: inlay.NewClient(r, nil), Skip: func(n *graph.Node) {
			for m := range n.All() {
				if !seen[m] && !slices.Contains(r.asked, m) {
					got = append(got, m.Call())
				}
				seen[m] = true
			}
		}})
		if !errors.Is(err, fails) || len(r.asked) != 1 || len(r.exported) > 0 {
			t.Errorf("%s: %v; asked for %d", c.script, err, len(r.asked))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: planned %q, want %q", c.script, got, c.want)
		}
	}
}
