package store

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/inlaybuild/inlay/internal/sparsejson"
	"golang.org/x/sys/unix"
)

// recordName is the file of a run, beside its logs, that has all but those: lines of
// JSON, each a runEntry, written as the run goes on. The first is what was asked, the
// last how it ended; between them a later line of a step replaces an earlier one, and nodes
// of trees come before the steps that name these. What is
// no such line, or not all of one, counts for nothing: its writer died, or there was a
// power cut.
const recordName = "record"

// runEntry is a line of a record. One of its fields is set.
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

// appendEntry adds a line to those in b.
func appendEntry(b []byte, e runEntry) ([]byte, error) {
	if e.Node != nil { // as the encoder would, which takes many times as long
		b = fmt.Appendf(b, `{"node":{"digest":"%s","data":"`, e.Node.Digest)
		return append(base64.StdEncoding.AppendEncode(b, e.Node.Data), "\"}}\n"...), nil
	}
	line, err := sparsejson.Marshal(e)
	if err != nil {
		return b, err
	}
	return append(append(b, line...), '\n'), nil
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
	list, err := os.ReadDir(s.path("logs"))
	var names []string
	for _, e := range list {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// recordSize gives the size of a run's record; 0 if there is none.
func (s *Store) recordSize(run string) (int64, error) {
	info, err := os.Lstat(s.recordPath(run))
	for _, none := range []error{unix.ENOENT, unix.ENOTDIR, unix.ELOOP} { // no directory of this name
		if errors.Is(err, none) {
			return 0, nil
		}
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

func (s *Store) recordPath(run string) string { return s.path("logs", run, recordName) }

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
	f, err := os.Open(s.path("logs", name))
	if err != nil {
		return false
	}
	defer f.Close()
	free, err := tryFlock(f, unix.LOCK_SH)
	return err == nil && !free
}
