package embedded_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/engine/enginetest"
	"github.com/inlaybuild/inlay/engine/runs"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/store"
)

// misses resolves a node, and gives why results were not there, by op; "cached"
// for those that were.
func misses(t testing.TB, e *embedded.Engine, n *graph.Node) map[string]string {
	t.Helper()
	out := map[string]string{}
	ops := map[int]string{}
	_, err := e.Resolve(t.Context(), n, engine.SinkFunc(func(ev engine.Event) {
		switch ev := ev.(type) {
		case engine.StepStarted:
			ops[ev.Step] = ev.Op
		case engine.Uncached:
			out[ops[ev.Step]] = string(ev.Cause) + ": " + ev.Text
		case engine.StepEnded:
			if ev.Cached {
				out[ops[ev.Step]] += "cached"
			}
		}
	}))
	var failed *engine.ExecError
	if err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	return out
}

// Whatever changes, an exec that runs again says what it was, and one that does
// not is cached.
func TestAnExecThatRunsAgainSaysWhy(t *testing.T) {
	needsProcesses(t)
	e := open(t, embedded.Options{Record: true})
	box := enginetest.Busybox(t)
	file := func(n *graph.Node, path, content string) *graph.Node {
		return graph.New(graph.NewFile{Path: path, Content: []byte(content)}, "NewFile", n)
	}
	scratch := graph.New(graph.Scratch{}, "Scratch")
	exec := func(x graph.Exec, call, script string, in ...*graph.Node) *graph.Node {
		x.Args = []string{"/bin/busybox", "sh", "-ec", script}
		return graph.New(x, call, in...)
	}
	mounted := graph.Exec{Mounts: []graph.Mount{{Kind: graph.MountTree, Target: "/src", Input: 1}}}
	for _, step := range []struct {
		does string
		node *graph.Node
		want string
	}{
		{"the first", exec(graph.Exec{}, "make", "true", box), "never-run: it never ran here"},
		{"the same", exec(graph.Exec{}, "make", "true", box), "cached"},
		{"another command", exec(graph.Exec{}, "make all", "echo hi", box), "command-changed: its command is another one; it was: /bin/busybox sh -ec true"},
		{"another file", exec(graph.Exec{}, "make", "true", file(box, "/etc/motd", "1")), "input-changed: the file system before it changed: /etc/motd"},
		{"and again", exec(graph.Exec{}, "make", "true", file(box, "/etc/motd", "2")), "input-changed: the file system before it changed: /etc/motd"},
		{"a file for each of many", exec(graph.Exec{}, "make", "true", file(file(file(file(file(box, "/b", ""), "/a", ""), "/c", ""), "/d", ""), "/e", "")),
			"input-changed: the file system before it changed: /a, /b, /c and others"},
		{"a variable", exec(graph.Exec{Env: []string{"A=1", "B=2"}}, "make", "true", box), "environment-changed: its environment changed: A, B"},
		{"its value", exec(graph.Exec{Env: []string{"A=1", "B=3"}}, "make", "true", box), "environment-changed: its environment changed: B"},
		{"the network", exec(graph.Exec{Env: []string{"A=1", "B=3"}, Network: graph.NetworkNone}, "make", "true", box), "settings-changed: its network changed"},
		{"again", exec(graph.Exec{Env: []string{"A=1", "B=3"}, Network: graph.NetworkNone, NoCache: "1"}, "make", "true", box), "told-again: it is to run again"},
		{"a mount", exec(mounted, "build", "true", box, file(scratch, "/x", "1")), "never-run: it never ran here"},
		{"what is in it", exec(mounted, "build", "true", box, file(scratch, "/x", "2")), "input-changed: what is mounted at /src changed: /x"},
		{"a failure", exec(graph.Exec{}, "fail", "exit 3", file(box, "/f", "")), "command-changed: its command is another one; it was: /bin/busybox sh -ec true"},
		{"the same failure", exec(graph.Exec{}, "fail", "exit 3", file(box, "/f", "")), "failed-before: it failed the last time"},
	} {
		got := misses(t, e, step.node)["with-exec"]
		if got != step.want {
			t.Errorf("%s: %q, want %q", step.does, got, step.want)
		}
	}
	// What was collected has been there.
	n := exec(graph.Exec{}, "late", "echo late", box)
	misses(t, e, n)
	r, err := e.Resolve(t.Context(), n, nil)
	if err != nil {
		t.Fatal(err)
	}
	blob := r.Exec.Stdout.Content.String()
	if err := os.Remove(filepath.Join(e.Store().BlobsDir(), blob[7:9], blob[9:])); err != nil {
		t.Fatal(err)
	}
	if got := misses(t, e, n)["with-exec"]; got != "collected: its earlier result was collected" {
		t.Error(got)
	}
	// The run remembers it.
	f, err := runs.Find(t.Context(), e.Store(), runs.Name{Run: runs.Last, Step: "with-exec"})
	if err != nil || f.Step.Uncached == nil || f.Step.Uncached.Cause != engine.Collected {
		t.Errorf("%+v, %v", f.Step, err)
	}
	sound(t, e)
}

// Of pipelines that are alike in one run, none is taken for the other.
func TestAlikePipelinesAreNotTakenForEachOther(t *testing.T) {
	needsProcesses(t)
	e := open(t, embedded.Options{})
	box := enginetest.Busybox(t)
	why := func(nodes ...*graph.Node) map[string]string {
		out, calls := map[string]string{}, map[int]string{}
		r := e.Begin("")
		defer r.End(t.Context(), nil)
		for _, n := range nodes {
			if _, err := r.Resolve(t.Context(), n, engine.SinkFunc(func(ev engine.Event) {
				switch ev := ev.(type) {
				case engine.StepStarted:
					calls[ev.Step] = ev.Call
				case engine.Uncached:
					out[calls[ev.Step]] = ev.Text
				}
			})); err != nil {
				t.Fatal(err)
			}
		}
		return out
	}
	// file puts a file of some content; exec says something, by words that do not tell.
	file := func(content string) *graph.Node {
		return graph.New(graph.NewFile{Path: "/f", Content: []byte(content)}, "file "+content, box)
	}
	exec := func(n *graph.Node, call, says string) *graph.Node {
		return graph.New(graph.Exec{Args: []string{"/bin/busybox", "echo", says}}, call, n)
	}
	both := func(a, b *graph.Node) *graph.Node { return graph.New(graph.Merge{}, "both", a, b) }
	const was = "its command is another one; it was: /bin/busybox echo "

	why(both(exec(box, "a1", "a1"), exec(box, "b1", "b1")))
	if got := why(both(exec(box, "a2", "a2"), exec(box, "b2", "b2"))); got["a2"] != was+"a1" || got["b2"] != was+"b1" {
		t.Errorf("in parallel: %q", got)
	}
	why(exec(box, "c1", "c1"), exec(box, "d1", "d1"))
	if got := why(exec(box, "c2", "c2"), exec(box, "d2", "d2")); got["c2"] != was+"c1" || got["d2"] != was+"d1" {
		t.Errorf("one after the other: %q", got)
	}
	const changed = "the file system before it changed: /f"
	why(both(exec(file("1"), "make", "x"), graph.New(graph.NewFile{Path: "/g"}, "with", exec(file("2"), "make", "x"))))
	got := why(both(exec(file("1"), "make", "x"), graph.New(graph.NewFile{Path: "/g"}, "with", exec(file("3"), "make", "x"))))
	if got["make"] != changed {
		t.Errorf("the same words: %q", got)
	}
}

// What was stopped or collected has been here, and an exec that runs for it again
// says so.
func TestAnExecThatWasStoppedOrForgottenSaysSo(t *testing.T) {
	needsProcesses(t)
	e := open(t, embedded.Options{})
	slow := script(t, graph.Exec{}, "echo on; busybox sleep 60")
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := e.Resolve(ctx, slow, engine.SinkFunc(func(ev engine.Event) {
		if _, ok := ev.(engine.Output); ok {
			cancel()
		}
	})); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	var said engine.Miss
	_, _ = e.Resolve(ctx, slow, engine.SinkFunc(func(ev engine.Event) {
		switch ev := ev.(type) {
		case engine.Uncached:
			said = ev.Miss
		case engine.Output:
			cancel()
		}
	}))
	if said != (engine.Miss{Cause: engine.StoppedBefore, Text: "it was stopped the last time"}) {
		t.Errorf("%+v", said)
	}
	quick := script(t, graph.Exec{}, "echo quick")
	misses(t, e, quick)
	if _, err := e.Collect(t.Context(), store.GCOptions{KeepBytes: -1}); err != nil {
		t.Fatal(err)
	}
	if got := misses(t, e, quick)["with-exec"]; got != "never-run: it has not run here since gc removed results" {
		t.Error(got)
	}
	sound(t, e)
}

// A step that succeeded was cached, or has said once why not, in the events and in
// the run.
func TestEveryStepIsCachedOrSaysWhyNot(t *testing.T) {
	needsProcesses(t)
	e := open(t, embedded.Options{Record: true})
	scratch := graph.New(graph.Scratch{}, "Scratch")
	file := graph.New(graph.NewFile{Path: "/x", Content: []byte("x")}, "NewFile", scratch)
	host := graph.New(graph.Host{Path: t.TempDir()}, "Host")
	n := graph.New(graph.Copy{To: "/a/", From: []string{"/"}}, "Copy", script(t, graph.Exec{}, "true"), file)
	n = graph.New(graph.Copy{To: "/b/", From: []string{"/"}}, "Copy", n, host)
	n = graph.New(graph.Configure{}, "Configure", graph.New(graph.Merge{}, "Merge", n, file))
	for range 2 {
		said, ended := map[int]int{}, 0
		if _, err := e.Resolve(t.Context(), n, engine.SinkFunc(func(ev engine.Event) {
			switch ev := ev.(type) {
			case engine.Uncached:
				said[ev.Step]++
			case engine.StepEnded:
				ended++
				if want := map[bool]int{false: 1}[ev.Cached]; said[ev.Step] != want {
					t.Errorf("step %d, cached: %v, has said %d times why it was not", ev.Step, ev.Cached, said[ev.Step])
				}
			}
		})); err != nil {
			t.Fatal(err)
		}
		f, err := runs.Find(t.Context(), e.Store(), runs.Name{Run: runs.Last})
		if err != nil || ended != len(f.Steps) || ended < 8 {
			t.Fatalf("%d ended of %d, %v", ended, len(f.Steps), err)
		}
		for _, s := range f.Steps {
			if (s.Uncached != nil) != (s.State == runs.Done) {
				t.Errorf("step %d, %s: %+v", s.Number(), s.State, s.Uncached)
			}
		}
	}
}

// Sources say what they had to read.
func TestSourcesSayWhyTheyRead(t *testing.T) {
	e := open(t, embedded.Options{})
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("a"), 0o644); err != nil {
		t.Fatal(err)
	}
	host := graph.New(graph.Host{Path: dir}, "Host")
	if got := misses(t, e, host)["host"]; got != "files-changed: 1 of 1 files were read, as they are new or changed of late" {
		t.Error(got)
	}
	from := graph.New(graph.From{Source: "dir:" + dir}, "From")
	if got := misses(t, e, from)["from"]; !strings.HasPrefix(got, "files-changed: ") && got != "cached" {
		t.Error(got)
	}
}
