package runs_test

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/runs"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/store"
	"github.com/inlaybuild/inlay/tree"
)

// memory is runs without a store.
type memory struct {
	runs  []store.RunInfo
	steps map[string][]store.Step
}

func (m memory) Runs(context.Context) ([]store.RunInfo, error) { return m.runs, nil }

func (m memory) Steps(_ context.Context, run string) ([]store.Step, error) { return m.steps[run], nil }

func step(t *testing.T, index int, op, call string, state store.RunState) store.Step {
	data, err := json.Marshal(runs.StepRecord{Op: op, Call: runs.Text(call)})
	if err != nil {
		t.Fatal(err)
	}
	return store.Step{Index: index, Name: op, State: state, Data: data, Ended: time.Unix(int64(100-index), 0)}
}

// Of steps that fail at once the first is the failed one, of those that fail one after
// another, as in a conversation, the last.
func TestTheFailedStepIsTheFirstOfThoseThatFailedLast(t *testing.T) {
	at := func(s int64) time.Time {
		if s == 0 {
			return time.Time{}
		}
		return time.Unix(s, 0)
	}
	for name, c := range map[string]struct {
		steps [][2]int64 // from, to; 0 of one that goes on
		want  int
	}{
		"at once":       {[][2]int64{{10, 20}, {10, 18}, {11, 19}}, 2},
		"one by one":    {[][2]int64{{10, 20}, {20, 30}, {31, 40}}, 3},
		"then at once":  {[][2]int64{{10, 20}, {30, 50}, {31, 40}}, 3},
		"killed":        {[][2]int64{{10, 20}, {30, 0}}, 2},
		"killed beside": {[][2]int64{{10, 0}, {15, 20}}, 2},
	} {
		m := memory{runs: []store.RunInfo{{Name: "20260101-a", State: runs.Failed}}, steps: map[string][]store.Step{}}
		for i, s := range c.steps {
			st := step(t, i, "with-exec", "with-exec x", runs.Failed)
			if st.Started, st.Ended = at(s[0]), at(s[1]); s[1] == 0 {
				st.State = store.Crashed
			}
			m.steps["20260101-a"] = append(m.steps["20260101-a"], st)
		}
		f, err := runs.Find(t.Context(), m, runs.Name{Run: runs.Last, Step: runs.FailedStep})
		if err != nil || f.Step.Number() != c.want {
			t.Errorf("%s: %+v, %v, want %d", name, f.Step, err, c.want)
		}
	}
}

func TestNamesFindRunsAndSteps(t *testing.T) {
	m := memory{
		runs: []store.RunInfo{{Name: "20260101-a", State: runs.Done}, {Name: "20260102-b", State: runs.Failed}, {Name: "20260102-c", State: store.Crashed}},
		steps: map[string][]store.Step{
			"20260101-a": {step(t, 0, "from", "from x", runs.Cached)},
			"20260102-b": {step(t, 0, "from", "from x", runs.Done), step(t, 1, "copy", "with-file /a ./a", runs.Failed), step(t, 2, "copy", `WithFile("/b")`, runs.Failed), step(t, 3, "with-exec", "with-exec x", runs.Canceled)},
			"20260102-c": {step(t, 0, "from", "from x", runs.Done), step(t, 1, "with-exec", "with-exec y", store.Running)},
		},
	}
	for name, want := range map[string]string{
		"":                     "20260102-c",
		"last":                 "20260102-c",
		"20260101":             "20260101-a",
		"20260102-b":           "20260102-b",
		"last@1":               "20260102-c 1",
		"last@from":            "20260102-c 1",
		"last@failed":          "20260102-c 2", // it was going on when the process ended
		"20260102-b@failed":    "20260102-b 3", // which ended before the other that failed
		"20260102-b@with-file": "20260102-b 2",
		"20260102-b@WithFile":  "20260102-b 3",
		"20260102-b@with-exec": "20260102-b 4",
		"20260102-b@copy":      `run 20260102-b has several steps copy, give the number: 2 (with-file), 3 (WithFile)`,
		"last@0":               `run 20260102-c has no step "0", as steps count from 1: want failed, or one of 1 (from), 2 (with-exec)`,
		"last@-1":              `run 20260102-c has no step "-1", as steps count from 1: want failed, or one of 1 (from), 2 (with-exec)`,
		"20260101@failed":      `no step of run 20260101-a failed; its state is done`,
		"20260102":             `2 runs have names that start with "20260102": 20260102-c, 20260102-b`,
		"x":                    `no run "x": want last, or the name of a run, of which there are 3: 20260102-c, 20260102-b, 20260101-a`,
	} {
		n, err := runs.ParseName(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := runs.Find(t.Context(), m, n)
		got := f.Run.Name
		switch {
		case err != nil:
			got = err.Error()
			if !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v is not fs.ErrNotExist", name, err)
			}
		case f.Step != nil:
			got += " " + string(rune('0'+f.Step.Number()))
		}
		if got != want {
			t.Errorf("%q finds %s, want %s", name, got, want)
		}
		if name != "" && n.String() != name {
			t.Errorf("%q became %q", name, n)
		}
	}
	for _, bad := range []string{"@1", "last@", "@"} {
		if _, err := runs.ParseName(bad); err == nil {
			t.Errorf("%q was read", bad)
		}
	}
	if _, err := runs.Find(t.Context(), memory{}, runs.Name{Run: runs.Last}); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "inlay do") {
		t.Error(err)
	}
}

func TestRecordsKeepEveryByte(t *testing.T) {
	odd := "/a\xff\n\"b"
	want := runs.StepRecord{Op: "copy", Call: runs.Text("with-file " + odd), Error: runs.Text(odd + ": it failed"),
		Uncached: &runs.Miss{Cause: engine.InputChanged, Text: runs.Text(odd)}, Written: runs.Written{Blobs: 1, Nodes: 2}, Placed: &runs.Placed{
			List: []engine.Placement{
				{Action: compose.Graft, Root: true, Asked: odd, From: "/f", To: odd, Kind: tree.KindDirectory, Count: 3, Was: tree.KindSymlink,
					Hops: []tree.Hop{{Path: odd, Target: odd}, {Path: "/b", Target: ""}}},
				{Action: engine.Mounted, To: "/c", From: "go", Mount: graph.MountCache},
			}, More: 7,
		}}
	want.Spec = &runs.Spec{
		Args: []string{"cat", odd}, Env: []string{"A=" + odd}, Dir: odd, User: "0", Stdin: 3,
		Mounts: []runs.Mount{{Mount: graph.Mount{Kind: graph.MountCache, Target: "/c", Name: "go"}}},
	}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got runs.StepRecord
	if err := json.Unmarshal(b, &got); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, want %+v (%v)\n%s", got, want, err, b)
	}
}
