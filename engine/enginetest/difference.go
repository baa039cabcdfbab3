package enginetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/runs"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
)

// Difference is something in which two engines are not alike.
type Difference struct {
	// Kind is what differs: "error", "tree", "config", "exit", "stdout", "stderr";
	// of what is told of steps "steps", "placements", "losses", "output"; of what is
	// remembered "records", "logs", "left" (what a step that failed left). "broken"
	// is a result that cannot be looked at.
	Kind string
	Text string
}

// String gives the kind first.
func (d Difference) String() string { return d.Kind + ": " + d.Text }

// comparison compares what a graph came to on two engines.
type comparison struct {
	node  *graph.Node
	since time.Time // what a clock says is not older
	a, b  *outcome
	found []Difference
}

// compare gives all that differs, what matters most first.
func compare(n *graph.Node, since time.Time, a, b *outcome) []Difference {
	c := &comparison{node: n, since: since, a: a, b: b}
	if c.errors() {
		c.results()
		c.steps()
		c.records()
	}
	return c.found
}

// sameDigests compares digests as the values that they are.
var sameDigests = cmp.Comparer(func(a, b digest.Digest) bool { return a == b })

func (c *comparison) differ(kind, format string, args ...any) {
	c.found = append(c.found, Difference{kind, fmt.Sprintf(format, args...)})
}

// equal notes two values that are not.
func (c *comparison) equal(kind, what string, a, b any) {
	if d := cmp.Diff(a, b, sameDigests); d != "" {
		c.differ(kind, "%s (- the one, + the other):\n%s", what, d)
	}
}

// errors compares how the graph failed, and tells whether it makes sense to look
// further.
func (c *comparison) errors() bool {
	a, b := c.a.err, c.b.err
	if a == nil && b == nil {
		return true
	}
	if a == nil || b == nil || a.Error() != b.Error() {
		c.differ("error", "the one: %v\nthe other: %v", a, b)
		return false
	}
	var x, y *engine.ExecError
	if errors.As(a, &x) != errors.As(b, &y) {
		c.differ("error", "one alone has it of a process: %v", a)
		return false
	}
	c.equal("error", "of a process", x, y)
	return true
}

// results compares what the graph came to.
func (c *comparison) results() {
	if c.a.err != nil {
		return
	}
	c.trees("tree", c.a.list, c.b.list)
	a, b := c.a.result, c.b.result
	c.equal("config", "how processes start", a.Config.Run(), b.Config.Run())
	c.equal("config", "the platform", a.Config.Platform(), b.Config.Platform())
	if (a.Exec == nil) != (b.Exec == nil) {
		c.differ("exit", "one alone has that of a process: %+v, %+v", a.Exec, b.Exec)
		return
	}
	if a.Exec != nil {
		c.equal("exit", "the arguments", a.Exec.Args, b.Exec.Args)
		c.equal("exit", "the code", a.Exec.ExitCode, b.Exec.ExitCode)
		c.equal("stdout", "what was said", string(c.a.stdout), string(c.b.stdout))
		c.equal("stderr", "what was said", string(c.a.stderr), string(c.b.stderr))
	}
}

// trees compares trees entry for entry. Times of both that are of a clock are
// alike.
func (c *comparison) trees(kind string, a, b treetest.Listing) {
	a, b = slices.Clone(a), slices.Clone(b)
	for n := range a {
		if other := b.Find(a[n].Path); other != nil && c.clock(a[n].Attr.ModTime) && c.clock(other.Attr.ModTime) {
			a[n].Attr.ModTime, other.Attr.ModTime = tree.Time{}, tree.Time{}
		}
	}
	if a.Equal(b) {
		return
	}
	c.differ(kind, "- the one, + the other:\n%s\nall of the one:\n%s\nall of the other:\n%s", treetest.Differences(b, a), indent(a.String()), indent(b.String()))
}

// clock tells whether a time is that of something that happened during the test.
func (c *comparison) clock(t tree.Time) bool { return t.Sec >= c.since.Unix() }

func indent(text string) string {
	return "\t" + strings.ReplaceAll(strings.TrimSuffix(text, "\n"), "\n", "\n\t")
}

// settled gives the calls of the steps that must be alike.
func (c *comparison) settled() []string { return settled(c.node, c.a.failed()) }

// steps compares what was told of the steps.
func (c *comparison) steps() {
	for _, call := range c.settled() {
		a, b := c.a.steps[call], c.b.steps[call]
		if a == nil && b == nil {
			continue // the graph was refused before
		}
		if a == nil || b == nil || a.ended == nil || b.ended == nil {
			c.differ("steps", "%s began and ended: %v and %v", call, a != nil && a.ended != nil, b != nil && b.ended != nil)
			continue
		}
		c.equal("steps", call+": the op", a.op, b.op)
		c.equal("steps", call+": the error", text(a.ended.Err), text(b.ended.Err))
		c.equal("records", call+": what could not be kept", a.notKept, b.notKept)
		c.equal("losses", call, losses(a.replaced), losses(b.replaced))
		if a.ended.Cached || b.ended.Cached {
			continue // what it did is not told again
		}
		c.equal("placements", call, a.placed, counted(b.placed, a.placed))
		for n, stream := range []string{"stdout", "stderr"} {
			c.equal("output", call+": "+stream, string(a.said[n]), string(b.said[n]))
		}
	}
}

// counted gives placements with the counts that others have where one does not count:
// of what a remote holds.
func counted(p, other *engine.Placements) *engine.Placements {
	if p == nil || other == nil || len(p.List) != len(other.List) {
		return p
	}
	out := *p
	out.List = slices.Clone(out.List)
	for i, o := range other.List {
		if out.List[i].Count < 0 {
			out.List[i].Count = o.Count
		}
		if out.List[i].Gone < 0 {
			out.List[i].Gone = o.Gone
		}
	}
	return &out
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// losses gives what was lost, sorted.
func losses(r []compose.Replacement) []compose.Replacement {
	r = slices.Clone(r)
	treetest.SortReplaced(r)
	return r
}

// records compares what is remembered of the run.
func (c *comparison) records() {
	a, b := c.a.record, c.b.record
	if a == nil || b == nil {
		if a != b {
			c.differ("records", "one alone remembers the run")
		}
		return
	}
	c.equal("records", "the state of the run", a.Run.State, b.Run.State)
	c.equal("records", "why the run failed", a.failure, b.failure)
	c.equal("records", "the calls", calls(a), calls(b))
	if len(c.found) > 0 {
		return
	}
	settled := c.settled()
	for n := range a.Steps {
		x, y := a.Steps[n], b.Steps[n]
		if _, ok := slices.BinarySearch(settled, string(x.Call)); ok {
			c.step(x, y)
			for i, stream := range []string{"stdout", "stderr"} {
				c.equal("logs", string(x.Call)+": "+stream, string(a.logs[x.Index][i]), string(b.logs[y.Index][i]))
			}
		}
	}
	if (a.left == nil) != (b.left == nil) {
		c.differ("left", "one alone has what the step that failed left")
	}
	if a.left != nil && b.left != nil {
		c.trees("left", a.left, b.left)
	}
}

func calls(r *record) []string {
	var out []string
	for _, s := range r.Steps {
		out = append(out, fmt.Sprint(s.Call, " ", s.Inputs))
	}
	return out
}

// step compares the records of a step.
func (c *comparison) step(a, b runs.Step) {
	c.equal("records", string(a.Call)+": the op", a.Op, b.Op)
	c.equal("records", string(a.Call)+": the state", state(a), state(b))
	c.equal("records", string(a.Call)+": the error", a.Error, b.Error)
	c.equal("records", string(a.Call)+": whether it has a tree", hasTree(a), hasTree(b))
	c.equal("records", string(a.Call)+": whether it began with a tree", beganWithTree(a), beganWithTree(b))
	c.equal("records", string(a.Call)+": what is run", specOf(a), specOf(b))
	if (a.Exec == nil) != (b.Exec == nil) || a.Exec != nil && a.Exec.ExitCode != b.Exec.ExitCode {
		c.differ("records", "%s: what became of it: %+v, %+v", a.Call, a.Exec, b.Exec)
	}
	if a.State == runs.Cached || b.State == runs.Cached {
		return // what was done is with the step that did it
	}
	c.equal("records", string(a.Call)+": the process", a.Process, b.Process)
	placed := (*engine.Placements)(a.Placed)
	c.equal("records", string(a.Call)+": placements", placed, counted((*engine.Placements)(b.Placed), placed))
}

// hasTree tells whether what a step came to can be looked into.
func hasTree(s runs.Step) bool {
	return !s.After.IsZero() || s.Op != graph.Diff{}.Name() && s.IsRemote() && (s.Process != nil || s.State == runs.Done || s.State == runs.Cached)
}

// beganWithTree tells whether a step had an input; that of a step that a remote made
// is another step's.
func beganWithTree(s runs.Step) bool {
	return !s.Before.IsZero() || s.Node != nil && len(s.Inputs) > 0
}

// specOf gives what a step ran, without the digests of what was mounted: a remote's
// are not known.
func specOf(s runs.Step) *runs.Spec {
	if s.Spec == nil {
		return nil
	}
	out := *s.Spec
	out.Mounts = slices.Clone(out.Mounts)
	for i := range out.Mounts {
		out.Mounts[i].Tree = digest.Digest{}
	}
	return &out
}

// state is that of a step. Whether something was carried out now or before is the
// engine's own business.
func state(s runs.Step) store.RunState {
	if s.State == runs.Cached {
		return runs.Done
	}
	return s.State
}

// firstOf gives the first of some differences, and in a line each of the others.
func firstOf(all []Difference) string {
	var b strings.Builder
	fmt.Fprintln(&b, all[0])
	for _, d := range all[1:] {
		first, _, _ := strings.Cut(d.String(), "\n")
		fmt.Fprintln(&b, "also", first)
	}
	return b.String()
}
