package embedded_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/engine/enginetest"
	"github.com/inlaybuild/inlay/engine/runs"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/store"
)

// lastRun explains the last run.
func lastRun(t testing.TB, e *embedded.Engine) runs.Explanation {
	t.Helper()
	x, err := e.Explain(t.Context(), runs.Name{Run: runs.Last})
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// usage gives the bytes of blobs and nodes in the store, with those of runs.
func usage(t testing.TB, e *embedded.Engine) runs.Written {
	t.Helper()
	u, err := e.Store().Du(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w := runs.Written{Blobs: u.Blobs.Bytes, Nodes: u.Nodes.Bytes}
	for _, n := range ownNodes(t, e, "*") {
		w.Nodes += int64(len(n))
	}
	return w
}

// What steps say that they wrote is what the store grew by, to the byte; what was written
// for good is not written again.
func TestWhatStepsWroteIsWhatTheStoreGrewBy(t *testing.T) {
	e := open(t, embedded.Options{Record: true})
	dir := t.TempDir()
	for i := range 300 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint("file", i)), bytes.Repeat([]byte{byte(i)}, i), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	n := graph.New(graph.Scratch{}, "scratch")
	host := graph.New(graph.Host{Path: dir}, "host")
	n = graph.New(graph.NewFile{Path: "/a", Content: []byte("text")}, "1", n)
	n = graph.New(graph.NewFile{Path: "/b", Content: []byte("text")}, "2", n)
	n = graph.New(graph.Copy{To: "/usr/", From: []string{"/"}}, "3", n, host)
	n = graph.New(graph.Symlink{Path: "/bin", Target: "usr"}, "4", n)
	n = graph.New(graph.Merge{}, "5", n, host)
	n = graph.New(graph.Copy{To: "/bin/x", From: []string{"/file299"}}, "6", n, host)
	if needed := os.Geteuid() == 0 && os.Getenv("INLAY_RUNC") != ""; needed {
		n = graph.New(graph.Copy{To: "/", From: []string{"/"}}, "7", script(t, graph.Exec{}, "echo new > /new"), n)
	}
	for round := range 2 {
		before := usage(t, e)
		events := runs.Written{}
		if _, err := e.Resolve(t.Context(), n, engine.SinkFunc(func(ev engine.Event) {
			if w, ok := ev.(engine.Written); ok {
				events.Blobs += w.Blobs
				events.Nodes += w.Nodes
			}
		})); err != nil {
			t.Fatal(err)
		}
		after := usage(t, e)
		var sum runs.Written
		for _, s := range lastRun(t, e).Steps {
			sum.Blobs += s.Written.Blobs
			sum.Nodes += s.Written.Nodes
			if round == 0 {
				t.Logf("%s: %+v", s.Call, s.Written)
			}
		}
		want := runs.Written{Blobs: after.Blobs - before.Blobs, Nodes: after.Nodes - before.Nodes}
		if sum != want || events != want || round == 1 && want.Blobs != 0 {
			t.Errorf("round %d: steps wrote %+v, events say %+v, the store grew by %+v", round, sum, events, want)
		}
	}
	sound(t, e)
}

func TestStepsTellWhereThingsLanded(t *testing.T) {
	e := open(t, embedded.Options{Record: true})
	n := graph.New(graph.Scratch{}, "scratch")
	n = graph.New(graph.NewFile{Path: "/usr/bin/sh"}, "1", n)
	n = graph.New(graph.Symlink{Path: "/bin", Target: "usr/bin"}, "2", n)
	n = graph.New(graph.NewFile{Path: "/bin/tool"}, "3", n)
	if _, err := e.Resolve(t.Context(), n, nil); err != nil {
		t.Fatal(err)
	}
	x := lastRun(t, e)
	last := x.Steps[len(x.Steps)-1]
	p := last.Placed.List[0]
	if p.Asked != "/bin/tool" || p.To != "/usr/bin/tool" || len(p.Hops) != 1 || p.Hops[0].Path != "/bin" {
		t.Errorf("placed %+v", p)
	}
	if want := (compose.Counts{Added: 1, Shared: 4}); *last.Change != want {
		t.Errorf("changed %+v, want %+v", *last.Change, want)
	}
	if first := x.Steps[0]; first.Change != nil || first.Total == nil || first.Placed != nil {
		t.Errorf("scratch: %+v", first)
	}
}

func TestExecsTellWhereMountsWereAlsoWhenTheyDoNotRun(t *testing.T) {
	needsProcesses(t)
	e := open(t, embedded.Options{Record: true, Secret: enginetest.Secret})
	shown := graph.New(graph.Symlink{Path: "/in", Target: "/real/dir"}, "shown", graph.New(graph.Scratch{}, "scratch"))
	x := graph.Exec{Mounts: []graph.Mount{
		{Kind: graph.MountTree, Target: "/lnk/src", Input: 1},
		{Kind: graph.MountTemp, Target: "/w/src/in/t"},
		{Kind: graph.MountCache, Target: "/c", Name: "go"},
		{Kind: graph.MountSecret, Target: "/run/s", Name: "env:LAW"},
	}}
	base := script(t, x, "true")
	in := graph.New(graph.Symlink{Path: "/lnk", Target: "w"}, "link", base.Inputs()[0])
	n := graph.New(base.Op(), "exec", in, shown)
	for _, state := range []store.RunState{runs.Done, runs.Cached} {
		if _, err := e.Resolve(t.Context(), n, nil); err != nil {
			t.Fatal(err)
		}
		steps := lastRun(t, e).Steps
		s := steps[len(steps)-1]
		var got []string
		for _, p := range s.Placed.List {
			got = append(got, fmt.Sprintf("%s %s>%s %s %d", p.Mount, p.Asked, p.To, p.From, len(p.Hops)))
		}
		want := "tree /lnk/src>/w/src / 1, temp /w/src/in/t>/real/dir/t  1, cache /c>/c go 0, secret /run/s>/run/s env:LAW 0"
		if strings.Join(got, ", ") != want || s.State != state {
			t.Errorf("%s: %s, want %s", s.State, strings.Join(got, ", "), want)
		}
	}
}

func TestARunThatWasKilledTellsWhatItHadDone(t *testing.T) {
	needsProcesses(t)
	dir := filepath.Join(t.TempDir(), "store")
	cmd, out := other(t, "sleep", dir, "")
	e := open(t, embedded.Options{Store: dir})
	for range 200 {
		time.Sleep(50 * time.Millisecond)
		list, err := e.Store().Runs(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(list) > 0 {
			if f, err := e.Store().OpenLog(list[0].Name, 2); err == nil {
				b, _ := io.ReadAll(f)
				f.Close()
				steps := lastRun(t, e).Steps
				if len(b) > 0 && len(steps) == 3 && steps[2].State == store.Running { // it is written a little later
					break
				}
			}
		}
	}
	if running := lastRun(t, e); running.Run.State != store.Running {
		t.Errorf("before it is killed it is %s: %s", running.Run.State, out)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	x := lastRun(t, e)
	if x.Run.State != store.Crashed || len(x.Steps) != 3 {
		t.Fatalf("%+v\n%s", x, out)
	}
	if s := x.Steps[1]; s.State != runs.Done || s.Placed == nil || s.Placed.List[0].To != "/made/by/parents" && s.Placed.List[0].To != "/made" || s.Change == nil || s.Change.Added != 3 {
		t.Errorf("the step before: %+v", s)
	}
	if s := x.Steps[2]; s.State != store.Crashed {
		t.Errorf("the step that was running: %+v", s)
	}
	if f, err := e.Explain(t.Context(), runs.Name{Run: runs.Last, Step: runs.FailedStep}); err != nil || f.Steps[0].Number() != 3 {
		t.Errorf("failed: %+v, %v", f, err)
	}
}
