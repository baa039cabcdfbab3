package enginetest

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/runs"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/store"
)

// OpenRemembering opens an engine as [Open] does, one that remembers runs.
type OpenRemembering func(t testing.TB) Remembering

// recordLaw is what is remembered of a run of a graph: what the state of each of
// its steps is, and of one that failed what it left.
type recordLaw struct {
	name   string
	node   *graph.Node
	states []string // "STATE CALL", of the last steps
	left   []string // below /w of what the step that failed left; nil if none failed
	stdout string   // in the log of the last process
	stderr string
	code   int // of the last process
}

// RunRecords tests what an engine remembers of runs, above all of those that fail.
// The engine must have the [Secret] of the laws.
func RunRecords(t *testing.T, open OpenRemembering) {
	root := entry(entry(Busybox(t), "w/a=1"), "w/d/x=2")
	for _, l := range recordLaws(root) {
		t.Run(l.name, func(t *testing.T) { l.hold(t, open(t)) })
	}
	t.Run("a step that was not carried out again has the log of the one that was", func(t *testing.T) {
		e := open(t)
		for _, want := range []store.RunState{runs.Done, runs.Cached} {
			r := recordOf(t, e, shell(root, "echo once"))
			last := r.Steps[len(r.Steps)-1]
			if said := r.logs[last.Index]; last.State != want || string(said[0]) != "once\n" {
				t.Errorf("it is %s, and the log has %q; want %s", last.State, said[0], want)
			}
		}
	})
}

func recordLaws(root *graph.Node) []recordLaw {
	call := func(n *graph.Node, call string) *graph.Node { return graph.New(n.Op(), call, n.Inputs()...) }
	fails := func(script string) *graph.Node { return call(shell(root, "cd /w; "+script), "fails") }
	secret := graph.Exec{Mounts: []graph.Mount{{Kind: graph.MountSecret, Target: "/run/s", Name: "env:LAW"}}}
	before := []string{"a=1", "d/", "d/x=2"}
	return []recordLaw{
		{name: "a run that succeeds", node: call(entry(call(shell(root, "echo out; echo err >&2"), "says"), "f=1"), "after"),
			states: []string{"done says", "done after"}, stdout: "out\n", stderr: "err\n"},
		{name: "what failed leaves all that it wrote, and what comes after is skipped",
			node:   call(entry(fails("echo -n 3 > b; rm -r d; mkdir n; echo out; echo err >&2; exit 7"), "f=1"), "after"),
			states: []string{"failed fails", "skipped after"}, left: []string{"a=1", "b=3", "n/"}, stdout: "out\n", stderr: "err\n", code: 7},
		{name: "what was killed leaves all that it wrote", node: fails("echo -n 3 > b; sh -c 'kill -9 $$' || exit $?"),
			states: []string{"failed fails"}, left: []string{"a=1", "b=3", "d/", "d/x=2"}, stderr: "Killed\n", code: 137},
		{name: "an exit code that is not expected is a failure", node: call(process(root, graph.Exec{Expect: []int{3}}, "echo -n 3 > /w/a"), "fails"),
			states: []string{"failed fails"}, left: []string{"a=3", "d/", "d/x=2"}},
		{name: "one that is expected is none", node: call(process(root, graph.Exec{Expect: []int{3}}, "exit 3"), "expected"),
			states: []string{"done expected"}, code: 3},
		{name: "what did not start leaves what it began with", node: call(on(root, graph.Exec{Args: []string{"/no/such"}}), "fails"),
			states: []string{"failed fails"}, left: before, code: 127},
		{name: "mounts and secrets are not in what is left, and masked in the log",
			node:   call(process(root, secret, "cat /run/s; exit 1"), "fails"),
			states: []string{"failed fails"}, left: before, stdout: "***\n", code: 1},
		{name: "an operation that fails leaves what it began with",
			node:   call(put(root, "/w", of("a=9"), "/", graph.CopyOptions{Contents: true, Existing: "forbid"}), "fails"),
			states: []string{"failed fails"}, left: before},
	}
}

func (l recordLaw) hold(t *testing.T, e Remembering) {
	r := recordOf(t, e, l.node)
	var states []string
	for _, s := range r.Steps[max(0, len(r.Steps)-len(l.states)):] {
		states = append(states, string(s.State)+" "+string(s.Call))
	}
	if !slices.Equal(states, l.states) {
		t.Errorf("the steps are %q, want %q", states, l.states)
	}
	want := runs.Done
	if l.left != nil {
		want = runs.Failed
		l.holdLeft(t, e, r)
	}
	if r.Run.State != want {
		t.Errorf("the run is %s, want %s", r.Run.State, want)
	}
	for _, s := range slices.Backward(r.Steps) {
		if s.Process == nil {
			continue
		}
		said := r.logs[s.Index]
		if string(said[0]) != l.stdout || string(said[1]) != l.stderr || s.Process.ExitCode != l.code {
			t.Errorf("the process said %q and %q and ended with %d; want %q, %q, %d", said[0], said[1], s.Process.ExitCode, l.stdout, l.stderr, l.code)
		}
		if int(s.Process.Stdout) != len(l.stdout) || int(s.Process.Stderr) != len(l.stderr) {
			t.Errorf("of the process is remembered: %+v", s.Process)
		}
		break
	}
}

func (l recordLaw) holdLeft(t *testing.T, e Remembering, r *record) {
	t.Helper()
	from := graph.New(graph.From{Source: r.Run.Name + "@" + runs.FailedStep}, "what is left")
	left, err := e.Resolve(t.Context(), part(from, "/w"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := listing(t, e, left.Tree); !slices.Equal(got, l.left) {
		t.Errorf("the step that failed left\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(l.left, "\n\t"))
	}
}

// recordOf gives what an engine remembers of the run of a graph. That the graph
// failed is as it was remembered.
func recordOf(t *testing.T, e Remembering, n *graph.Node) *record {
	t.Helper()
	_, failed := e.Resolve(t.Context(), n, nil)
	r, err := readRecord(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	if r == nil {
		t.Fatal("nothing is remembered")
	}
	for _, s := range r.Steps {
		var x *engine.ExecError
		if s.State == runs.Failed && (failed == nil || string(s.Error) != failed.Error() && !errors.As(failed, &x)) {
			t.Errorf("the error that is remembered is %q, and not %v", s.Error, failed)
		}
	}
	return r
}
