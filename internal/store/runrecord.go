package store

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/internal/sparsejson"
	"golang.org/x/sys/unix"
)

// runEntry is a line of a run's record, which is a file that has all of it but its logs:
// lines of JSON, written as the run goes on. The first is what was asked, the last how it
// ended; between them a later line of a step replaces an earlier one, and nodes of trees
// come before the steps that name these. What is no such line, or not all of one, counts
// for nothing: its writer died, or there was a power cut. One of the fields is set.
type runEntry struct {
	Run  *runBegun `json:"run,omitempty"`
	Node *runNode  `json:"node,omitempty"`
	Step *Step     `json:"step,omitempty"`
	End  *runEnded `json:"end,omitempty"`
}

type runBegun struct {
	Started time.Time       `json:"started"`
	Data    json.RawMessage `json:"data,omitempty"`
}

type runEnded struct {
	State RunState        `json:"state"`
	Ended time.Time       `json:"ended"`
	Data  json.RawMessage `json:"data,omitempty"` // in the place of that of the beginning
}

// appendEntry adds a line to those in b. It means what encoding/json would write, which
// takes many times as long, and as long as a short run for the first line of a process.
func appendEntry(b []byte, e runEntry) ([]byte, error) {
	l := entryLine{b: b}
	switch {
	case e.Run != nil:
		l.begin("run").time("started", e.Run.Started).raw("data", e.Run.Data)
	case e.Node != nil:
		l.begin("node").digest("digest", e.Node.Digest).bytes("data", e.Node.Data)
	case e.Step != nil:
		s := e.Step
		l.begin("step").number("index", s.Index).text("name", s.Name).text("state", string(s.State))
		if !s.Before.IsZero() {
			l.digest("before", s.Before)
		}
		if !s.After.IsZero() {
			l.digest("after", s.After)
		}
		if !s.Started.IsZero() {
			l.time("started", s.Started)
		}
		if !s.Ended.IsZero() {
			l.time("ended", s.Ended)
		}
		l.raw("data", s.Data)
	case e.End != nil:
		l.begin("end").text("state", string(e.End.State)).time("ended", e.End.Ended).raw("data", e.End.Data)
	}
	if l.err != nil {
		return b, l.err
	}
	return append(l.b, "}}\n"...), nil
}

// entryLine is a line that is being written.
type entryLine struct {
	b   []byte
	err error
}

func (l *entryLine) begin(kind string) *entryLine {
	l.b = append(append(append(l.b, `{"`...), kind...), `":{`...)
	return l
}

func (l *entryLine) key(name string) {
	if l.b[len(l.b)-1] != '{' {
		l.b = append(l.b, ',')
	}
	l.b = append(append(append(l.b, '"'), name...), `":`...)
}

func (l *entryLine) number(name string, n int) *entryLine {
	l.key(name)
	l.b = strconv.AppendInt(l.b, int64(n), 10)
	return l
}

func (l *entryLine) digest(name string, d digest.Digest) *entryLine {
	l.key(name)
	l.b = append(append(append(l.b, '"'), d.String()...), '"')
	return l
}

func (l *entryLine) bytes(name string, data []byte) *entryLine {
	l.key(name)
	l.b = append(base64.StdEncoding.AppendEncode(append(l.b, '"'), data), '"')
	return l
}

func (l *entryLine) text(name, s string) *entryLine {
	l.key(name)
	return l.encoded(sparsejson.Marshal(s))
}

// time adds a time. Only that of others would have the time zones of the host read.
func (l *entryLine) time(name string, t time.Time) *entryLine {
	l.key(name)
	return l.encoded(t.UTC().MarshalJSON())
}

// raw adds what is JSON, unless there is none.
func (l *entryLine) raw(name string, data json.RawMessage) *entryLine {
	if len(data) == 0 {
		return l
	}
	l.key(name)
	if json.Valid(data) && !bytes.ContainsAny(data, "\r\n") {
		return l.encoded(data, nil)
	}
	return l.encoded(json.Marshal(data))
}

func (l *entryLine) encoded(data []byte, err error) *entryLine {
	l.b = append(l.b, data...)
	l.err = errors.Join(l.err, err)
	return l
}

// entries calls yield for each line of a record that counts and has one of the kinds,
// which are the names of fields; all lines, if none is given.
func entries(record []byte, yield func(runEntry), kinds ...string) {
	for {
		line, rest, whole := bytes.Cut(record, []byte("\n"))
		if !whole {
			return
		}
		record = rest
		if len(kinds) > 0 && !slices.ContainsFunc(kinds, func(k string) bool { return bytes.HasPrefix(line, []byte(`{"`+k+`":`)) }) {
			continue
		}
		var e runEntry
		if json.Unmarshal(line, &e) == nil {
			yield(e)
		}
	}
}

// badLines counts the lines of a record that are none.
func badLines(record []byte) (n int) {
	for line := range bytes.Lines(record) {
		if bytes.HasSuffix(line, []byte("\n")) && json.Unmarshal(line, new(runEntry)) != nil {
			n++
		}
	}
	return n
}

// infoOf gives what a record says of the run as a whole; false if the run has not
// begun.
func infoOf(name string, record []byte) (info RunInfo, begun bool) {
	entries(record, func(e runEntry) {
		switch {
		case e.Run != nil:
			begun = true
			info = RunInfo{Name: name, Started: e.Run.Started, State: Running, Data: e.Run.Data}
		case e.End != nil && begun:
			info.State, info.Ended = e.End.State, e.End.Ended
			if e.End.Data != nil {
				info.Data = e.End.Data
			}
		}
	}, "run", "end")
	return info, begun
}

// stepsOf gives the steps of a record by index.
func stepsOf(record []byte) []Step {
	at := map[int]int{}
	var out []Step
	entries(record, func(e runEntry) {
		if e.Step == nil {
			return
		}
		s := *e.Step
		if i, ok := at[s.Index]; ok {
			out[i] = s
			return
		}
		at[s.Index] = len(out)
		out = append(out, s)
	}, "step")
	slices.SortFunc(out, func(a, b Step) int { return a.Index - b.Index })
	return out
}

// runNames gives the names of runs, and of what may be one, oldest first.
func (s *Store) runNames() ([]string, error) {
	list, err := os.ReadDir(s.path("runs"))
	var names []string
	for _, e := range list {
		if e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// recordSize gives the size of a run's record; 0 if there is none.
func (s *Store) recordSize(run string) (int64, error) {
	info, err := os.Lstat(s.recordPath(run))
	if isNoRecord(err) {
		return 0, nil
	}
	if err != nil || !info.Mode().IsRegular() {
		return 0, err
	}
	return info.Size(), nil
}

// readRecord gives the record of a run; nil if there is none.
func (s *Store) readRecord(run string) ([]byte, error) {
	if size, err := s.recordSize(run); size == 0 || err != nil {
		return nil, err
	}
	b, err := os.ReadFile(s.recordPath(run))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

func (s *Store) recordPath(run string) string { return s.path("runs", run) }

// info gives how a run stands; false if there is none of that name.
func (s *Store) info(run string) (info RunInfo, begun bool, err error) {
	for looks := 1; ; looks++ {
		record, err := s.readRecord(run)
		if err != nil {
			return RunInfo{}, false, err
		}
		info, begun = infoOf(run, record)
		if !begun || info.State != Running || looks == 1 && s.runLives(run) {
			return info, begun, nil
		}
		if looks == 2 { // it had not said how it ended when it was gone
			info.State = Crashed
			return info, true, nil
		}
	}
}

// runLives tells whether the process of a run holds its lock.
func (s *Store) runLives(name string) bool {
	f, err := os.Open(s.recordPath(name))
	if err != nil {
		return false
	}
	defer f.Close()
	free, err := tryFlock(f, unix.LOCK_SH)
	return err == nil && !free
}
