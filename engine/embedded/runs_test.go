package embedded_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/engine/enginetest"
	"github.com/inlaybuild/inlay/engine/runs"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/steplog"
	"github.com/inlaybuild/inlay/internal/store"
)

// found finds a step of a run that must be there.
func found(t testing.TB, e *embedded.Engine, name string) (runs.Found, runs.Step) {
	t.Helper()
	n, err := runs.ParseName(name)
	if err != nil {
		t.Fatal(err)
	}
	f, err := runs.Find(t.Context(), e.Store(), n)
	if err != nil {
		t.Fatal(err)
	}
	if f.Step == nil {
		return f, runs.Step{}
	}
	return f, *f.Step
}

// ownNodes gives the nodes that runs of a name have by themselves.
func ownNodes(t testing.TB, e *embedded.Engine, run string) (nodes [][]byte) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(e.Store().Dir(), "runs", run))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		record, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for line := range bytes.Lines(record) {
			var l struct{ Node struct{ Data []byte } }
			if err := json.Unmarshal(line, &l); err != nil {
				t.Fatal(err)
			}
			if l.Node.Data != nil {
				nodes = append(nodes, l.Node.Data)
			}
		}
	}
	return nodes
}

// logOf reads the log of a step as it is now.
func logOf(t testing.TB, e *embedded.Engine, name string) (out, err string, gap int64) {
	t.Helper()
	f, st := found(t, e, name)
	l, oerr := runs.OpenLog(t.Context(), e.Store(), e, f.Run.Name, st)
	if oerr != nil {
		t.Fatal(oerr)
	}
	defer l.Close()
	for {
		r, nerr := l.Next()
		if errors.Is(nerr, io.EOF) {
			return out, err, gap
		}
		if nerr != nil {
			t.Fatal(nerr)
		}
		switch r.Stream {
		case steplog.Stdout:
			out += string(r.Data)
		case steplog.Stderr:
			err += string(r.Data)
		default:
			gap += r.Stdout + r.Stderr
		}
	}
}

// What a failed process wrote is a tree that can be looked into and gone on with,
// and no result: it runs again.
func TestWhatAFailedExecWroteIsATreeAndNoResult(t *testing.T) {
	needsProcesses(t)
	e := open(t, embedded.Options{Record: true})
	n := graph.New(graph.Configure{Env: []graph.EnvChange{{Name: "A", Value: "b"}}}, "env", enginetest.Busybox(t))
	failing := graph.New(graph.Exec{Args: []string{"/bin/busybox", "sh", "-ec", "echo left > /left; echo said; echo bad >&2; exit 4"}}, "exec", n)
	for range 2 {
		var exec *engine.ExecError
		if _, err := e.Resolve(t.Context(), failing, nil); !errors.As(err, &exec) || exec.ExitCode != 4 {
			t.Fatal(err)
		}
		f, st := found(t, e, "last@failed")
		if f.Run.State != runs.Failed || st.Process == nil || st.Process.ExitCode != 4 || st.Process.Stdout != 5 || st.After.IsZero() || st.After == st.Before {
			t.Errorf("%+v, process %+v", st, st.Process)
		}
		if out, bad, _ := logOf(t, e, "last@failed"); out != "said\n" || bad != "bad\n" {
			t.Errorf("it logged %q and %q", out, bad)
		}
	}
	_, failed := found(t, e, "last@failed")
	x := e.Begin("looks into last")
	r, err := x.Resolve(t.Context(), from("last@failed"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := x.End(t.Context(), nil); err != nil {
		t.Error(err)
	}
	if r.Tree.Digest() != failed.After || !slices.Contains(r.Config.Run().Env, "A=b") {
		t.Errorf("last@failed is %s with %v, want %s", r.Tree.Digest(), r.Config.Run().Env, failed.After)
	}
	if entry, err := r.Tree.Lookup(t.Context(), "/left"); err != nil || entry == nil {
		t.Errorf("/left: %v, %v", entry, err)
	}
	sound(t, e)
}

// Resolutions that are one run have one sequence of steps, and nothing is made
// twice; what comes after a failure is said to be skipped.
func TestOneRunNumbersTheStepsOfAllItsResolutions(t *testing.T) {
	e := open(t, embedded.Options{Record: true})
	r := e.Begin("a script")
	base := graph.New(graph.Scratch{}, "scratch")
	one := graph.New(graph.NewFile{Path: "/one"}, "one", base)
	bad := graph.New(graph.Sub{Path: "/missing"}, "bad", one)
	behind := graph.New(graph.NewFile{Path: "/behind"}, "behind", bad)
	for _, n := range []*graph.Node{one, behind} {
		_, _ = r.Resolve(t.Context(), n, nil)
	}
	if f, _ := found(t, e, "last"); f.Run.State != store.Running || len(f.Steps) != 4 {
		t.Errorf("while it goes on: %s with %d steps", f.Run.State, len(f.Steps))
	}
	if err := r.End(t.Context(), errors.New("it failed")); err != nil {
		t.Error(err)
	}
	f, _ := found(t, e, "last")
	var got []string
	for _, s := range f.Steps {
		got = append(got, fmt.Sprintf("%d %s %s %v", s.Number(), s.Call, s.State, s.Inputs))
	}
	want := "1 scratch done [], 2 one done [0], 3 bad failed [1], 4 behind skipped [2]"
	if strings.Join(got, ", ") != want || f.Run.State != runs.Failed {
		t.Errorf("%s: %s, want %s", f.Run.State, strings.Join(got, ", "), want)
	}
	if st, err := f.Made(); err != nil || st.Number() != 3 {
		t.Errorf("the run's tree is that of %+v, %v", st, err)
	}
}

// What a resolution gave a digest of is a source at once, here and for others.
func TestADigestThatWasGivenIsASourceAtOnce(t *testing.T) {
	e := open(t, embedded.Options{Record: true})
	r := e.Begin("a script")
	made, err := r.Resolve(t.Context(), graph.New(graph.NewFile{Path: "/a"}, "new", graph.New(graph.Scratch{}, "scratch")), nil)
	if err != nil {
		t.Fatal(err)
	}
	again := graph.New(graph.From{Source: made.Tree.Digest().String()}, "from")
	for name, on := range map[string]interface {
		Resolve(context.Context, *graph.Node, engine.Sink) (engine.Result, error)
	}{"the run": r, "another one": e.Begin("others")} {
		if got, err := on.Resolve(t.Context(), again, nil); err != nil || got.Tree.Digest() != made.Tree.Digest() {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := r.End(t.Context(), nil); err != nil {
		t.Error(err)
	}
}

// However much a process says, its log has the beginning, the end and the size of
// what is between them, and is no larger than it may be.
func TestTheLogOfAFloodIsBoundedWithBothItsEnds(t *testing.T) {
	needsProcesses(t)
	const limit = 256 << 10
	e := open(t, embedded.Options{Record: true, LogLimit: limit})
	r, err := e.Resolve(t.Context(), script(t, graph.Exec{}, "echo first; busybox yes | busybox head -c 30000000; echo last"), nil)
	if err != nil {
		t.Fatal(err)
	}
	out, _, gap := logOf(t, e, "last@with-exec")
	if !strings.HasPrefix(out, "first\ny\n") || !strings.HasSuffix(out, "y\nlast\n") {
		t.Errorf("the log begins with %q and ends with %q", out[:min(len(out), 20)], out[max(0, len(out)-20):])
	}
	if want := r.Exec.Stdout.Size; int64(len(out))+gap != want || len(out) > limit || len(out) < limit/4 {
		t.Errorf("%d bytes in the log and %d not, of %d", len(out), gap, want)
	}
	f, st := found(t, e, "last@with-exec")
	log, err := e.Store().OpenLog(f.Run.Name, st.Index)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	if info, err := log.Stat(); err != nil || info.Size() > limit+8192 {
		t.Errorf("the file has %d bytes, %v", info.Size(), err)
	}
}

// Runs beyond the limit go, the oldest first, and their logs; a cached exec then
// still has what its process said.
func TestOldRunsAreForgottenAndSaySo(t *testing.T) {
	needsProcesses(t)
	e := open(t, embedded.Options{Record: true, KeepRuns: 3})
	n := script(t, graph.Exec{}, "echo out; echo err >&2")
	var first string
	for range 6 {
		if _, err := e.Resolve(t.Context(), n, nil); err != nil {
			t.Fatal(err)
		}
		if first == "" {
			f, _ := found(t, e, "last")
			first = f.Run.Name
		}
	}
	list, err := e.Store().Runs(t.Context())
	if err != nil || len(list) > 4 || len(list) < 3 {
		t.Errorf("%d runs, %v", len(list), err)
	}
	_, err = runs.Find(t.Context(), e.Store(), runs.Name{Run: first, Step: "2"})
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "not kept any more") {
		t.Errorf("the first run: %v", err)
	}
	logs, _ := filepath.Glob(filepath.Join(e.Store().Dir(), "logs", first))
	if len(logs) > 0 {
		t.Errorf("left: %s", logs)
	}
	if out, bad, _ := logOf(t, e, "last@with-exec"); out != "out\n" || bad != "err\n" {
		t.Errorf("it said %q and %q", out, bad)
	}
	if _, err := e.Collect(t.Context(), store.GCOptions{KeepRuns: -1}); err != nil {
		t.Error(err)
	}
	if list, err := e.Store().Runs(t.Context()); err != nil || len(list) > 0 {
		t.Errorf("after a collection there are %d runs, %v", len(list), err)
	}
	sound(t, e)
}

// A run that ends does not always look for old ones: there may be some more than the
// limit, until a collection.
func TestACollectionLeavesTheRunsOfTheLimitExactly(t *testing.T) {
	e := open(t, embedded.Options{Record: true})
	for range 280 {
		if _, err := e.Resolve(t.Context(), graph.New(graph.Scratch{}, "scratch"), nil); err != nil {
			t.Fatal(err)
		}
	}
	count := func() int {
		list, err := e.Store().Runs(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	if n := count(); n < 100 || n > 200 { // it is looked for in one run of eight
		t.Errorf("%d runs before a collection", n)
	}
	if _, err := e.Collect(t.Context(), store.GCOptions{}); err != nil {
		t.Error(err)
	}
	if n := count(); n != 100 {
		t.Errorf("%d runs after a collection", n)
	}
}

// What cannot be written is told once, and written when it can be, also if nothing else
// happens.
func TestARunThatCouldNotBeWrittenIsWrittenAsSoonAsItCanBe(t *testing.T) {
	needsProcesses(t)
	dir := filepath.Join(t.TempDir(), "store")
	e, reader := open(t, embedded.Options{Store: dir, Record: true}), open(t, embedded.Options{Store: dir})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	place := filepath.Join(dir, "runs")
	if err := os.Rename(place, place+".away"); err != nil {
		t.Fatal(err)
	}
	said, ended := make(chan struct{}), make(chan error, 1)
	var told atomic.Int32
	go func() {
		_, err := e.Resolve(ctx, script(t, graph.Exec{}, "echo said; busybox sleep 60"), engine.SinkFunc(func(ev engine.Event) {
			switch ev := ev.(type) {
			case engine.NotKept:
				if ev.Step < 0 {
					told.Add(1)
				}
			case engine.Output:
				close(said)
			}
		}))
		ended <- err
	}()
	<-said
	for begun := time.Now(); told.Load() == 0; time.Sleep(time.Millisecond) {
		if time.Since(begun) > 10*time.Second {
			t.Fatal("nobody said that the run cannot be written")
		}
	}
	if err := os.Rename(place+".away", place); err != nil {
		t.Fatal(err)
	}
	for begun := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		list, err := reader.Store().Runs(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 1 {
			steps, err := reader.Store().Steps(t.Context(), list[0].Name)
			if err != nil {
				t.Fatal(err)
			}
			if slices.ContainsFunc(steps, func(st store.Step) bool { return st.State == store.Running }) {
				break
			}
		}
		if time.Since(begun) > 10*time.Second {
			t.Fatal("it was not written")
		}
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if told.Load() != 1 {
		t.Errorf("it was told %d times", told.Load())
	}
}

// What a process writes, and the tree of a step that has ended, are there for
// another engine at once, while the run goes on.
func TestARunIsReadableWhileItGoesOn(t *testing.T) {
	needsProcesses(t)
	dir := filepath.Join(t.TempDir(), "store")
	e, reader := open(t, embedded.Options{Store: dir, Record: true}), open(t, embedded.Options{Store: dir})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	said := make(chan time.Time, 1)
	go func() {
		n := script(t, graph.Exec{}, "echo said; busybox sleep 60")
		_, err := e.Resolve(ctx, n, engine.SinkFunc(func(ev engine.Event) {
			if _, ok := ev.(engine.Output); ok {
				said <- time.Now()
			}
		}))
		ended <- err
	}()
	at := <-said
	for {
		if out, _, _ := logOf(t, reader, "last@with-exec"); out == "said\n" {
			break
		}
		if time.Since(at) > 5*time.Second {
			t.Fatal("what it said is not in the log")
		}
	}
	t.Logf("the log had it after %v", time.Since(at))
	for { // its log may be there a moment before what is written of the step
		_, err := reader.Resolve(t.Context(), from("last@with-exec"), nil)
		if errors.Is(err, fs.ErrNotExist) && strings.Contains(err.Error(), "still running") {
			break
		}
		if time.Since(at) > 5*time.Second {
			t.Fatalf("the tree of a step that goes on: %v", err)
		}
	}
	_, st := found(t, reader, "last@1")
	r, err := reader.Resolve(t.Context(), from("last@1"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if st.State != runs.Done && st.State != runs.Cached || r.Tree.Digest() != st.After {
		t.Errorf("the first step is %s", st.State)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if f, st := found(t, reader, "last@failed"); f.Run.State != runs.Canceled || st.State != runs.Canceled || !st.Process.Canceled {
		t.Errorf("afterwards the run is %s, the step %s", f.Run.State, st.State)
	}
}
