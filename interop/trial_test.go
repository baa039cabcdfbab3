package interop

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/internal/treetest"
)

// ownDifference is something that a peer does in its own way, by choice, by
// accident or by mistake, and that we do not follow.
type ownDifference struct {
	name, why string
	example   string // a case that shows it
	// minor ones are not told where outcomes are shown beside each other.
	minor bool
	// excuse makes ours and theirs one where the peer's own way explains what is
	// different, and tells whether it did.
	excuse func(x *comparison) bool
}

// ownRefusal is something that we refuse, as the rules say, and a peer does not.
type ownRefusal struct {
	name, why string
	example   string
	excuse    func(c treetest.Case, ours treetest.Outcome) bool
}

// ownReading is a way of a peer to read trees, as if they were others.
type ownReading struct {
	name, why string
	example   string
	read      func(treetest.Listing) treetest.Listing
}

// trial holds us against one thing that a peer does: wherever that succeeds our
// result is the same, but for the differences and the refusals that are listed.
type trial struct {
	daemon      *daemon
	task        func(treetest.Case) (t task, reason string)
	differences []ownDifference
	refusals    []ownRefusal
	readings    []ownReading
	since       time.Time
}

// finding is what came of a case.
type finding struct {
	class    string   // in a few words: for counting
	excused  []string // the own differences and refusals that were met
	wrong    string   // what is not excused; "" if all is well
	compared *comparison
}

// judge holds our outcome of a case against the peer's; if that is wrong, as the
// peer reads the trees.
func (tr *trial) judge(t testing.TB, c treetest.Case, v verdict) finding {
	f := tr.judgeAsIs(t, c, v)
	for _, r := range tr.readings {
		if f.wrong == "" {
			break
		}
		again := c
		again.Dst, again.Src = r.read(c.Dst), r.read(c.Src)
		if g := tr.judgeAsIs(t, again, verdict{tree: r.read(v.tree), refusal: v.refusal}); g.wrong == "" {
			f = g
			f.excused = append(f.excused, r.name)
		}
	}
	return f
}

func (tr *trial) judgeAsIs(t testing.TB, c treetest.Case, v verdict) finding {
	ours, _ := c.Run(t.Context())
	switch {
	case v.refusal != "" && ours.Failure != "":
		return finding{class: "both refuse"}
	case v.refusal != "":
		return finding{class: "the peer alone refuses: " + shortRefusal(v.refusal)}
	case ours.Failure != "":
		for _, r := range tr.refusals {
			if r.excuse(c, ours) {
				return finding{class: "we alone refuse", excused: []string{r.name}}
			}
		}
		return finding{class: "we alone refuse", wrong: fmt.Sprintf("we refuse (%v), and the peer does not", ours.Err)}
	}
	f := finding{class: "both succeed", compared: compare(c, tr.since, ours.Tree, v.tree)}
	for _, d := range tr.differences {
		if d.excuse(f.compared) {
			f.excused = append(f.excused, d.name)
		}
	}
	if !f.compared.ours.Equal(f.compared.theirs) {
		f.wrong = "- ours, + theirs:\n" + treetest.Differences(f.compared.theirs, f.compared.ours)
	}
	return f
}

// hold judges cases, and fails with the first that is wrong, made small.
func (tr *trial) hold(t *testing.T, cases []treetest.Case) {
	t.Helper()
	started := time.Now()
	counts := map[string]int{}
	var mu sync.Mutex
	var wrong []treetest.Case
	var wg sync.WaitGroup
	slots := make(chan struct{}, 3) // one more than the judge works on
	for some := range slices.Chunk(cases, batchSize) {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			findings, err := tr.findings(t, some)
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			for n, f := range findings {
				counts[f.class]++
				for _, e := range f.excused {
					counts["    excused: "+e]++
				}
				if f.wrong != "" {
					wrong = append(wrong, some[n])
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d cases in %v", len(cases), time.Since(started).Round(time.Millisecond))
	for _, class := range slices.Sorted(maps.Keys(counts)) {
		t.Logf("%5d %s", counts[class], class)
	}
	if len(wrong) > 0 {
		c, what := tr.shrink(t, slices.MinFunc(wrong, func(a, b treetest.Case) int { return len(a.String()) - len(b.String()) }))
		text, _ := tr.task(c)
		t.Errorf("%d cases are not what the peer does. The smallest, made smaller:\n%s\n%s\n%s", len(wrong), c, text.dockerfile, what)
	}
}

// findings judges cases that can be tasks, all at once.
func (tr *trial) findings(t testing.TB, cases []treetest.Case) ([]finding, error) {
	var tasks []task
	for _, c := range cases {
		q, reason := tr.task(c)
		if reason != "" {
			return nil, fmt.Errorf("%s: %s", c.Line(), reason)
		}
		tasks = append(tasks, q)
	}
	verdicts, err := tr.daemon.judge.ask(tasks)
	if err != nil {
		return nil, err
	}
	var out []finding
	for n, v := range verdicts {
		out = append(out, tr.judge(t, cases[n], v))
	}
	return out, nil
}

// shrink makes a case small that is wrong, in a minute at most.
func (tr *trial) shrink(t testing.TB, c treetest.Case) (treetest.Case, string) {
	end := time.Now().Add(time.Minute)
	wrong := func(c treetest.Case) string {
		if _, reason := tr.task(c); reason != "" {
			return ""
		}
		f, err := tr.findings(t, []treetest.Case{c})
		if err != nil {
			return ""
		}
		return f[0].wrong
	}
	c = treetest.Shrink(c, func(c treetest.Case) bool { return time.Now().Before(end) && wrong(c) != "" })
	return c, wrong(c)
}

// draw makes cases of seeds. Those that we refuse are as rare as one in eight:
// little can be seen in them.
func (tr *trial) draw(t testing.TB, n int, draw func(*treetest.Source) treetest.Case) []treetest.Case {
	seed := uint64(1)
	if long() { // others each time
		seed = uint64(time.Now().UnixNano())
		t.Logf("seed %d", seed)
	}
	var out []treetest.Case
	for ; len(out) < n; seed++ {
		c := draw(treetest.Seeded(seed))
		if _, reason := tr.task(c); reason != "" {
			continue
		}
		if ours, _ := c.Run(t.Context()); ours.Failure == "" || seed%8 == 0 {
			out = append(out, c)
		}
	}
	return out
}

// long tells whether there is all the time in the world: $INLAY_LONG is set.
func long() bool { return os.Getenv("INLAY_LONG") != "" }

// numbered reads the documentation's cases.
func numbered(t testing.TB) []treetest.Numbered {
	t.Helper()
	b, err := os.ReadFile("../docs/cases.txt")
	if err != nil {
		t.Fatal(err)
	}
	cases, err := treetest.ParseNumbered(string(b))
	if err != nil {
		t.Fatal(err)
	}
	return cases
}

// shortRefusal gives what an error says, without the paths that it says it of.
func shortRefusal(text string) string {
	for _, known := range []string{
		"cannot copy to non-directory", "cannot replace to directory", "too many links", "not a directory",
		"not found", "no such file or directory", "file name too long", "must be a directory and end with a /",
		"is a directory", "invalid UTF-8", "file exists",
	} {
		if strings.Contains(text, known) {
			return known
		}
	}
	return text
}
