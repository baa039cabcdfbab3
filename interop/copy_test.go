package interop

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/internal/treetest"
)

// copyRefusals are what we refuse and BuildKit's COPY does not.
var copyRefusals = []ownRefusal{
	{
		"a pattern that nothing matches", "it may be a mistake: AllowEmpty says that it is none (3.1)",
		"copy /*.c /d/\n-- src --\nc.h = c\n",
		func(c treetest.Case, ours treetest.Outcome) bool {
			return ours.Failure == treetest.Missing && !c.Options.AllowEmpty && strings.Contains(ours.Err.Error(), "nothing matches")
		},
	},
	{
		"more than 40 symlinks", "BuildKit follows 255; a process inside the tree follows 40 (1.2)",
		"copy /l0 /f\n-- src --\n" + chain(41, "f") + "f = f\n",
		func(_ treetest.Case, ours treetest.Outcome) bool { return ours.Failure == treetest.Loop },
	},
}

// copyTrial is a trial of COPY; with link, of COPY --link.
func copyTrial(d *daemon, link bool) *trial {
	differences := copyDifferences
	if link {
		differences = linkDifferences
	}
	return &trial{
		daemon: d, differences: differences, refusals: copyRefusals, readings: copyReadings, since: time.Now(),
		task: func(c treetest.Case) (task, string) {
			text, reason := dockerfile(c, link)
			return task{op: "dockerfile", trees: []treetest.Listing{c.Dst, c.Src}, dockerfile: text}, reason
		},
	}
}

func TestCopyIsWhatBuildKitsCOPYDoes(t *testing.T) { holdCopies(t, false, 6*batchSize) }

// holdCopies holds the numbered copies, and as many generated ones, that COPY can
// say; with link, overlaying ones against COPY --link.
func holdCopies(t *testing.T, link bool, generated int) {
	tr := copyTrial(sharedDaemon(t), link)
	t.Run("numbered", func(t *testing.T) {
		var cases []treetest.Case
		for _, c := range numbered(t) {
			if _, reason := tr.task(c.Case); reason == "" {
				cases = append(cases, c.Case)
			}
		}
		tr.hold(t, cases)
	})
	t.Run("generated", func(t *testing.T) {
		if long() {
			generated = 60 * batchSize
		}
		tr.hold(t, tr.draw(t, generated, func(s *treetest.Source) treetest.Case {
			c := drawCopy(s)
			c.Options.Overlay = link
			return c
		}))
	})
}

// drawCopy draws a copy that a Dockerfile can say, as often as that is possible.
func drawCopy(s *treetest.Source) treetest.Case {
	c := s.CopyCase(treetest.Limits{Disk: true})
	o := &c.Options
	o.Include, o.Gitignore, o.KeepLink, o.Existing, o.Time, o.AllowEmpty = nil, false, false, "", "", true
	if c.Verb == "file" {
		c.Verb = "copy" // which takes what it finds
	}
	from, to := c.From()
	if len(from) > 1 && !strings.HasSuffix(to, "/") {
		c.Args[len(from)] += "/" // BuildKit insists
	}
	if c.Verb == "copy" {
		for n, p := range from {
			// To BuildKit ** is *, and a backslash is one where there is no wildcard.
			c.Args[n] = strings.NewReplacer(`\*`, `[*]`, `\?`, `[?]`, `\[`, `[[]`, `\\`, `[\\]`, "***", "*", "**", "*").Replace(p)
		}
	}
	// The slash that .dockerignore forgives makes a pattern of --exclude match nothing.
	for n, p := range o.Exclude {
		o.Exclude[n] = strings.Replace(strings.TrimPrefix(p, "/"), "!/", "!", 1)
	}
	return utf8Case(c)
}

// utf8Case makes names UTF-8: others break the connection when BuildKit puts them
// into an error. That it copies them is a numbered case.
func utf8Case(c treetest.Case) treetest.Case {
	fix := func(s *string) { *s = strings.ToValidUTF8(*s, "\u00ff") }
	for n := range c.Args {
		fix(&c.Args[n])
	}
	for _, l := range []treetest.Listing{c.Dst, c.Src, c.More} {
		for n := range l {
			fix(&l[n].Path)
			fix(&l[n].Same)
			fix(&l[n].Target)
		}
		l.Sort()
	}
	return c
}

// chain gives symlinks l0, l1 and so on, of which each leads to the next, and the
// last to something else.
func chain(n int, last string) string {
	var b strings.Builder
	for i := range n - 1 {
		fmt.Fprintf(&b, "l%d -> l%d\n", i, i+1)
	}
	fmt.Fprintf(&b, "l%d -> %s\n", n-1, last)
	return b.String()
}
