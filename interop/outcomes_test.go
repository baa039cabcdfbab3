package interop

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
)

// The documentation shows what others make of its cases: docs/outcomes has a file
// for each, which INLAY_UPDATE=1 writes anew.
func TestDocumentedOutcomesAreBuildKits(t *testing.T) {
	d := sharedDaemon(t)
	for name, link := range map[string]bool{"buildkit-copy": false, "buildkit-copy-link": true} {
		how := "COPY"
		if link {
			how = "COPY --link"
		}
		var text strings.Builder
		fmt.Fprintf(&text, "# BuildKit %s, %s of a Dockerfile, overlayfs snapshotter\n", d.version(t), how)
		for n, o := range outcomes(t, d, link) {
			fmt.Fprintf(&text, "%d\t%s\n", n+1, o)
		}
		file := filepath.Join("../docs/outcomes", name+".txt")
		if os.Getenv("INLAY_UPDATE") != "" {
			if err := os.WriteFile(file, []byte(text.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		was, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(was), "\n")
		for n, line := range strings.Split(text.String(), "\n") {
			if n >= len(lines) || lines[n] != line {
				t.Errorf("%s, line %d: BuildKit now gives\n%s\nINLAY_UPDATE=1 writes the file anew", file, n+1, line)
			}
		}
	}
}

// outcomes tells what COPY, or COPY --link, makes of each numbered case, whether
// the case is an overlay or not: "same" as ours but for minor own differences; an
// error; or what it makes of dst.
func outcomes(t *testing.T, d *daemon, link bool) []string {
	t.Helper()
	tr := copyTrial(d, link)
	cases := numbered(t)
	out := make([]string, len(cases))
	var tasks []task
	var asked []int
	for n, c := range cases {
		c.Options.Overlay = link
		q, reason := tr.task(c.Case)
		if out[n] = "cannot be said: " + reason; reason == "" {
			tasks, asked = append(tasks, q), append(asked, n)
		}
	}
	verdicts, err := d.judge.ask(tasks)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range verdicts {
		c := cases[asked[i]].Case
		o := &out[asked[i]]
		if v.refusal != "" {
			*o = "error: " + shortRefusal(v.refusal)
			continue
		}
		ours, _ := c.Run(t.Context())
		c.Options.Overlay = link
		x := compare(c, tr.since, ours.Tree, v.tree)
		for _, d := range tr.differences {
			if d.minor {
				d.excuse(x)
			}
		}
		if *o = "same"; !x.ours.Equal(x.theirs) {
			*o = treetest.Brief(c.Dst, x.timeless(v.tree))
		}
	}
	return out
}

// timeless gives a listing with the root and the times that the peer itself made
// as they were.
func (x *comparison) timeless(l treetest.Listing) treetest.Listing {
	l = slices.Clone(l)
	l[0] = x.c.Dst[0]
	for n, i := range l {
		if i.Kind != tree.KindDirectory || !x.recent(i.Attr.ModTime) {
			continue
		}
		l[n].Attr.ModTime = tree.Time{}
		if old := x.was(i.Path); old != nil {
			l[n].Attr.ModTime = old.Attr.ModTime
		}
	}
	return l
}
