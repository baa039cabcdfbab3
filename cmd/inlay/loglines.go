package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/inlaybuild/inlay/internal/steplog"
)

// logLines writes records of logs: as they are, or line by line. Then the time
// of a line is that of its first byte, and lines of different steps and streams
// do not mix.
type logLines struct {
	*page
	json    bool
	times   bool
	numbers bool // lines begin with the number of their step
	asIs    bool // bytes are written as they are
	clean   bool // nothing may steer the terminal
	warn    func(string)

	begun []*logLine // lines without an end yet
	shown *logLine   // the one of them of which a part is on the screen
}

// logLine is the part of a line that is known.
type logLine struct {
	step   int
	stream steplog.Stream
	at     time.Time
	text   []byte
	shown  bool // an earlier part was written
}

// maxLine is the most bytes that are kept back of a line.
const maxLine = 64 << 10

func newLogLines(f *follower, numbers bool) *logLines {
	p := f.page()
	l := &logLines{page: p, json: f.json, times: f.times, numbers: numbers, clean: p.terminal && !f.raw}
	l.asIs = !l.json && !l.times && !l.numbers && !l.clean
	l.warn = func(text string) {
		f.display.Pause()
		fmt.Fprintf(f.session.stderr, "inlay: %s\n", text)
	}
	return l
}

// logJSON is a line of a log in JSON.
type logJSON struct {
	Step   int        `json:"step"`
	Time   *time.Time `json:"time,omitempty"` // nil if it is not known
	Stream string     `json:"stream"`         // stdout or stderr, or gap
	Text   show.Bytes `json:"text"`           // without the newline
	NoEnd  bool       `json:"noEnd,omitempty"`
	// Stdout and Stderr are how many bytes of the log were not kept here.
	Stdout int64 `json:"stdout,omitempty"`
	Stderr int64 `json:"stderr,omitempty"`
}

// add writes a record, but for the end of it that may be the beginning of a line.
func (l *logLines) add(step int, r steplog.Record) error {
	if r.Stream == steplog.Gap {
		return l.gap(step, r)
	}
	if l.asIs {
		_, err := l.Write(r.Data)
		return err
	}
	line := l.line(step, r.Stream)
	for len(r.Data) > 0 {
		if len(line.text) == 0 {
			line.at = r.Time
		}
		n := bytes.IndexByte(r.Data, '\n')
		ended := n >= 0
		if !ended {
			n = len(r.Data)
		}
		line.text = append(line.text, r.Data[:n]...)
		if ended {
			n++
		}
		r.Data = r.Data[n:]
		if ended || len(line.text) >= maxLine {
			if err := l.emit(line, ended); err != nil {
				return err
			}
		}
	}
	return nil
}

func (l *logLines) line(step int, s steplog.Stream) *logLine {
	for _, b := range l.begun {
		if b.step == step && b.stream == s {
			return b
		}
	}
	b := &logLine{step: step, stream: s}
	l.begun = append(l.begun, b)
	return b
}

// emit writes what is known of a line.
func (l *logLines) emit(b *logLine, ended bool) error {
	text := string(b.text)
	b.text = b.text[:0]
	if l.json {
		return l.encode(logJSON{Step: b.step, Time: known(b.at), Stream: streamName(b.stream), Text: show.Bytes(text), NoEnd: !ended})
	}
	if l.shown != nil && l.shown != b {
		l.shown.shown = false
		l.WriteByte('\n')
	}
	l.shown = nil
	if !b.shown {
		l.prefix(b.step, b.at, b.stream)
	}
	if l.clean {
		text = show.Clean(text, true)
	}
	l.WriteString(text)
	b.shown = !ended
	if ended {
		return l.WriteByte('\n')
	}
	l.shown = b
	return nil
}

// prefix writes what stands before a line.
func (l *logLines) prefix(step int, at time.Time, s steplog.Stream) {
	if l.numbers {
		l.printf("#%d ", step)
	}
	if l.times {
		when := "-"
		if !at.IsZero() {
			when = at.Local().Format("2006-01-02T15:04:05.000000Z07:00")
		}
		l.printf("%s %s ", when, streamName(s))
	}
}

// known gives a time, or nil if there is none.
func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func streamName(s steplog.Stream) string {
	switch s {
	case steplog.Stdout:
		return "stdout"
	case steplog.Stderr:
		return "stderr"
	}
	return "gap"
}

// gap tells that something is missing: where it is, if that is no place for the
// process' own bytes alone.
func (l *logLines) gap(step int, r steplog.Record) error {
	text := fmt.Sprintf("%s of the log are not kept here", show.Size(r.Stdout+r.Stderr))
	if l.asIs {
		if err := l.Flush(); err != nil {
			return err
		}
		l.warn(text)
		return nil
	}
	if err := l.flushLines(); err != nil {
		return err
	}
	if l.json {
		return l.encode(logJSON{Step: step, Time: known(r.Time), Stream: "gap", Stdout: r.Stdout, Stderr: r.Stderr})
	}
	l.prefix(step, r.Time, r.Stream)
	l.printf("[%s]\n", text)
	return l.Flush()
}

func (l *logLines) encode(v logJSON) error {
	enc := json.NewEncoder(l.Writer)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// idle shows what there is, as nothing more comes for now: on a terminal also the
// beginning of a line.
func (l *logLines) idle() error {
	if l.terminal && !l.numbers && !l.json {
		for _, b := range l.begun {
			if len(b.text) > 0 {
				if err := l.emit(b, false); err != nil {
					return err
				}
			}
		}
	}
	return l.Flush()
}

// flushLines writes the beginnings of lines, as they are all there is.
func (l *logLines) flushLines() error {
	return l.flushThose(func(*logLine) bool { return true })
}

// finish writes the beginnings of lines of a step that has ended.
func (l *logLines) finish(step int) error {
	return l.flushThose(func(b *logLine) bool { return b.step == step })
}

func (l *logLines) flushThose(which func(*logLine) bool) error {
	for _, b := range l.begun {
		if !which(b) {
			continue
		}
		if len(b.text) > 0 {
			if err := l.emit(b, false); err != nil {
				return err
			}
		}
		if l.shown == b {
			l.shown = nil
			l.WriteByte('\n')
		}
		b.shown = false
	}
	return nil
}

// end writes what is left.
func (l *logLines) end() error {
	if err := l.flushLines(); err != nil {
		return err
	}
	return l.Flush()
}
