package store

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/digest"
)

// anyNode takes anything for a node that refers to nothing.
func anyNode([]byte) (nodes, blobs []digest.Digest, err error) { return nil, nil, nil }

// aRecord is the record of a run with two steps, of which the first was written twice, and
// a node.
func aRecord(t testing.TB) (record []byte, ends []int) {
	t.Helper()
	at := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	for _, e := range []runEntry{
		{Run: &runBegun{Started: at, Data: json.RawMessage(`{"Asked":"all"}`)}},
		{Step: &Step{Index: 0, Name: "from", State: Running, Started: at}},
		{Step: &Step{Index: 1, Name: "exec", State: "waiting"}},
		{Node: &runNode{digest.Of([]byte("tree")), []byte("tree")}},
		{Step: &Step{Index: 0, Name: "from", State: "done", After: digest.Of([]byte("tree")), Started: at, Ended: at.Add(1), Data: json.RawMessage(`{}`)}},
		{End: &runEnded{State: "failed", Ended: at.Add(2), Data: json.RawMessage(`{"Error":"x"}`)}},
	} {
		var err error
		if record, err = appendEntry(record, e); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, len(record))
	}
	return record, ends
}

func TestARecordThatIsCutOffSaysWhatItSaidBefore(t *testing.T) {
	record, ends := aRecord(t)
	for n := range len(record) + 1 {
		last := 0
		for _, end := range ends {
			if end <= n {
				last = end
			}
		}
		info, begun := infoOf("r", record[:n])
		want, wantBegun := infoOf("r", record[:last])
		own, damaged := ownOf(record[:n], anyNode)
		if len(damaged) > 0 || len(own) != min(1, last/ends[3]) {
			t.Fatalf("cut off at %d: %d nodes, damaged are %v", n, len(own), damaged)
		}
		if begun != wantBegun || !reflect.DeepEqual(info, want) || !reflect.DeepEqual(stepsOf(record[:n]), stepsOf(record[:last])) {
			t.Fatalf("cut off at %d: %+v %v, want %+v %v", n, info, begun, want, wantBegun)
		}
		if begun != (n >= ends[0]) || (info.State == "failed") != (n == len(record)) {
			t.Fatalf("cut off at %d: %+v %v", n, info, begun)
		}
	}
	info, _ := infoOf("r", record)
	steps := stepsOf(record)
	if string(info.Data) != `{"Error":"x"}` || len(steps) != 2 || steps[0].State != "done" || steps[1].State != "waiting" ||
		!slices.Equal(steps[0].trees(), []digest.Digest{digest.Of([]byte("tree"))}) {
		t.Fatalf("%+v %+v", info, steps)
	}
}

func TestWhatIsNoLineOfARecordHidesNoneThatIs(t *testing.T) {
	record, ends := aRecord(t)
	garbage := append(bytes.Repeat([]byte{0}, 100), "\n{\"step\":[]}\n{\"run\":7}\nnothing\n"...)
	for _, at := range append(ends, 0) {
		mixed := slices.Concat(record[:at], garbage, record[at:])
		info, _ := infoOf("r", mixed)
		want, _ := infoOf("r", record)
		if !reflect.DeepEqual(info, want) || !reflect.DeepEqual(stepsOf(mixed), stepsOf(record)) {
			t.Fatalf("garbage at %d: %+v", at, info)
		}
	}
}

// What the store writes is read by programs of later versions, and a node is looked for in
// the bytes.
func TestALineOfANodeIsWhatItWas(t *testing.T) {
	const want = `{"node":{"digest":"sha256:ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb","data":"YQ=="}}` + "\n"
	if got, err := appendEntry(nil, runEntry{Node: &runNode{digest.Of([]byte("a")), []byte("a")}}); err != nil || string(got) != want {
		t.Errorf("%s %v, want %s", got, err, want)
	}
}

func TestALineMeansWhatEncodingJSONWrites(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	texts := []string{"", "done", "<&>", "\u2028é", "a\nb\"\\", "\xff\x00"}
	data := []json.RawMessage{nil, {}, json.RawMessage(`{}`), json.RawMessage(`{"A":[1,"é"],"B":null}`), json.RawMessage("{\n}"), json.RawMessage("\"\\n\""), json.RawMessage(" [1,\t\"<&>\u2028\"]\r\n")}
	times := []time.Time{{}, time.Unix(1, 0).UTC(), time.Unix(1e9, 123456789).In(time.FixedZone("", -5*60*60)), time.Now()}
	digests := []digest.Digest{{}, digest.Of(nil), digest.Of([]byte("a"))}
	for range 2000 {
		text, state, raw := texts[r.IntN(len(texts))], RunState(texts[r.IntN(len(texts))]), data[r.IntN(len(data))]
		at, later := times[r.IntN(len(times))], times[r.IntN(len(times))]
		before, after := digests[r.IntN(3)], digests[r.IntN(3)]
		index, kind := r.IntN(100), r.IntN(4)
		entry := func(at, later time.Time) runEntry {
			return []runEntry{
				{Run: &runBegun{at, raw}},
				{Node: &runNode{digest.Of([]byte(text)), []byte(text)}},
				{Step: &Step{Index: index, Name: text, State: state, Before: before, After: after, Started: at, Ended: later, Data: raw}},
				{End: &runEnded{state, at, raw}},
			}[kind]
		}
		other, err := json.Marshal(entry(at.UTC(), later.UTC()))
		if err != nil {
			t.Fatal(err)
		}
		line, err := appendEntry(nil, entry(at, later))
		if err != nil || bytes.IndexByte(line, '\n') != len(line)-1 {
			t.Fatalf("%q is no line: %v", line, err)
		}
		var got, want runEntry
		if err := errors.Join(json.Unmarshal(line, &got), json.Unmarshal(other, &want)); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		a, aerr := json.Marshal(got)
		b, berr := json.Marshal(want)
		if aerr != nil || berr != nil || !bytes.Equal(a, b) {
			t.Fatalf("%s says %s, %s says %s: %v %v", line, a, other, b, aerr, berr)
		}
	}
}

func TestWhatIsNoJSONIsNotRecorded(t *testing.T) {
	for _, e := range []runEntry{
		{Run: &runBegun{Data: json.RawMessage("{")}},
		{Step: &Step{Data: json.RawMessage("1}\n{2")}},
		{Step: &Step{Ended: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}},
		{End: &runEnded{Data: json.RawMessage("x")}},
	} {
		if got, err := appendEntry([]byte("before"), e); err == nil || string(got) != "before" {
			t.Errorf("%s %v", got, err)
		}
	}
}

func FuzzRunRecord(f *testing.F) {
	record, _ := aRecord(f)
	f.Add(record)
	f.Add([]byte("{\"step\":{\"before\":\"sha256:1\"}}\n"))
	f.Add([]byte("{\"node\":{\"digest\":\"sha256:1\",\"data\":\"eA==\"}}\n{\"node\":{\"data\":\"eA==\"}}\n"))
	f.Fuzz(func(t *testing.T, record []byte) {
		info, begun := infoOf("r", record)
		if !begun && !reflect.DeepEqual(info, RunInfo{}) {
			t.Fatalf("a run that has not begun says %+v", info)
		}
		own, _ := ownOf(record, anyNode)
		for d, n := range own {
			if digest.Of(n.data) != d {
				t.Fatalf("%q is not %s", n.data, d)
			}
		}
		steps := stepsOf(record)
		again := []byte(nil)
		for _, s := range steps {
			var err error
			if again, err = appendEntry(again, runEntry{Step: &s}); err != nil {
				t.Fatalf("%+v: %v", s, err)
			}
		}
		if !slices.IsSortedFunc(steps, func(a, b Step) int { return a.Index - b.Index }) || len(stepsOf(again)) != len(steps) {
			t.Fatalf("%+v", steps)
		}
	})
}

// openEmpty makes a store.
func openEmpty(t *testing.T) *Store {
	t.Helper()
	none := func([]byte) (nodes, blobs []digest.Digest, err error) { return nil, nil, nil }
	s, err := Open(t.Context(), t.TempDir(), Options{References: none})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	return s
}

func TestARunThatHasOnlyBegunIsSeenAndCrashesWithItsProcess(t *testing.T) {
	s := openEmpty(t)
	run, err := s.NewRun(json.RawMessage(`{"Asked":"all"}`))
	if err != nil {
		t.Fatal(err)
	}
	if err := run.Begin(); err != nil {
		t.Fatal(err)
	}
	stands := func(want RunState) {
		t.Helper()
		runs, err := s.Runs(t.Context())
		if err != nil || len(runs) != 1 || string(runs[0].Data) != `{"Asked":"all"}` || runs[0].State != want {
			t.Fatalf("want %s: %+v %v", want, runs, err)
		}
	}
	stands(Running)
	run.record.Close() // as its process ends
	stands(Crashed)
}

// Two runs never have one record.
func TestARunOfTheNameOfAnotherOneDoesNotBegin(t *testing.T) {
	s := openEmpty(t)
	var first *Run
	for _, state := range []string{"going on", "ended"} {
		if first == nil {
			var err error
			if first, err = s.NewRun(json.RawMessage(`{}`)); err != nil {
				t.Fatal(err)
			}
			if err := first.Begin(); err != nil {
				t.Fatal(err)
			}
		} else if err := first.End(t.Context(), "done", nil); err != nil {
			t.Fatal(err)
		}
		run := &Run{s: s, name: first.name, data: json.RawMessage(`{"Asked":"second"}`)}
		if err := run.Begin(); !errors.Is(err, ErrBusy) {
			t.Errorf("where the other one is %s: %v", state, err)
		}
	}
	if runs, err := s.Runs(t.Context()); err != nil || len(runs) != 1 || string(runs[0].Data) != "{}" {
		t.Fatalf("%+v %v", runs, err)
	}
}

func TestAWriteThatFailsLeavesTheRecordAsItWas(t *testing.T) {
	s := openEmpty(t)
	run, err := s.NewRun(nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := run.PutStep(t.Context(), Step{Name: "first", State: "done"}); err != nil {
		t.Fatal(err)
	}
	good := run.record
	if run.record, err = os.Open(s.recordPath(run.name)); err != nil { // which cannot be written
		t.Fatal(err)
	}
	if err := run.PutStep(t.Context(), Step{Index: 1, Name: "second", State: "done"}); err == nil {
		t.Fatal("a file that cannot be written was")
	}
	run.record.Close()
	run.record = good
	if err := run.End(t.Context(), "done", nil); err != nil {
		t.Fatal(err)
	}
	steps, err := s.Steps(t.Context(), run.name)
	if err != nil || len(steps) != 1 || steps[0].Name != "first" {
		t.Fatalf("%+v %v", steps, err)
	}
}
