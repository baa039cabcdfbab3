package interop

import (
	"slices"
	"testing"

	"github.com/inlaybuild/inlay/internal/treetest"
)

// What is no longer so does not stay in the lists.
func TestEachOwnDifferenceOfBuildKitIsShownByItsExample(t *testing.T) {
	d := sharedDaemon(t)
	for name, tr := range map[string]*trial{"COPY": copyTrial(d, false), "COPY --link": copyTrial(d, true), "MergeOp": mergeTrial(d)} {
		t.Run(name, func(t *testing.T) {
			var names []string
			var cases []treetest.Case
			add := func(name, why, example string) {
				c := treetest.MustParseCase(example)
				if _, reason := tr.task(c); reason != "" { // listed for another thing, too
					return
				}
				if why == "" {
					t.Errorf("%s: there is no reason", name)
				}
				names, cases = append(names, name), append(cases, c)
			}
			for _, d := range tr.differences {
				add(d.name, d.why, d.example)
			}
			for _, r := range tr.refusals {
				add(r.name, r.why, r.example)
			}
			for _, r := range tr.readings {
				add(r.name, r.why, r.example)
			}
			findings, err := tr.findings(t, cases)
			if err != nil {
				t.Fatal(err)
			}
			for n, f := range findings {
				if f.wrong != "" || !slices.Contains(f.excused, names[n]) {
					t.Errorf("%s: its example shows %q\n%s\n%s", names[n], f.excused, f.wrong, cases[n])
				}
			}
		})
	}
}
