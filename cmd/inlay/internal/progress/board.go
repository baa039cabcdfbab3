package progress

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/inlaybuild/inlay/engine"
)

// board is what is known of steps that go on.
type board struct {
	now   func() time.Time
	begun int // steps, so far
	ended int
	steps map[int]*step // by the run's numbers; -1 for what is no step
	order []*step
	lent  bool // a process has the terminal
}

// step is one step, or things that are no step.
type step struct {
	number  int // as it is shown; 0 for what is no step
	call    string
	started time.Time
	told    time.Time // when it was last written of
	said    bool      // a line with its name was written
	lost    int       // warnings of what it lost
	why     string    // its result was not there
	streams [2]show.Lines
	parts   []engine.Progress
}

func newBoard() *board {
	return &board{now: time.Now, steps: map[int]*step{}}
}

// begin notes a step.
func (b *board) begin(e engine.StepStarted) *step {
	b.begun++
	now := b.now()
	s := &step{number: e.Step, call: oneLine(e.Call), started: now, told: now}
	b.steps[e.Step] = s
	b.order = append(b.order, s)
	return s
}

// end forgets a step and gives what was known of it.
func (b *board) end(e engine.StepEnded) *step {
	b.ended++
	s, ok := b.steps[e.Step]
	if !ok {
		return &step{started: b.now()}
	}
	delete(b.steps, e.Step)
	b.order = slices.DeleteFunc(b.order, func(o *step) bool { return o == s })
	return s
}

// of gives the step that an event is of.
func (b *board) of(number int) *step {
	s, ok := b.steps[number]
	if !ok {
		now := b.now()
		s = &step{started: now, told: now}
		b.steps[number] = s
		b.order = append(b.order, s)
	}
	return s
}

// progress notes how far a part of a step is.
func (b *board) progress(e engine.Progress) {
	s := b.of(e.Step)
	e.What = oneLine(e.What)
	for i := range s.parts {
		if s.parts[i].What == e.What {
			s.parts[i] = e
			return
		}
	}
	s.parts = append(s.parts, e)
	if len(s.parts) > 8 { // the newest are what is worth a look
		s.parts = s.parts[1:]
	}
}

// part writes how far a part is.
func part(p engine.Progress) string {
	var b strings.Builder
	b.WriteString(p.What)
	if p.Done > 0 || p.Total > 0 {
		b.WriteString(" " + show.Size(p.Done))
		if p.Total > 0 {
			fmt.Fprintf(&b, " of %s", show.Size(p.Total))
		}
	}
	if p.Count > 0 {
		fmt.Fprintf(&b, " (%d)", p.Count)
	}
	return b.String()
}

// oneLine makes one line of text from anywhere.
func oneLine(s string) string { return show.Clean(strings.ReplaceAll(s, "\n", " "), false) }

// state is how a step ended, in one word.
func state(e engine.StepEnded) string {
	switch {
	case errors.Is(e.Err, context.Canceled):
		return "canceled"
	case e.Err != nil:
		return "failed"
	case e.Cached:
		return "cached"
	}
	return "done"
}

// uncached notes why the result of a step was not there.
func (b *board) uncached(e engine.Uncached) { b.of(e.Step).why = "not cached: " + oneLine(e.Text) }

// reason gives why the step's result was not there, once; "" if that was said.
func (s *step) reason() string {
	if s.why == "" {
		return ""
	}
	why := s.why
	s.why = ""
	return " (" + why + ")"
}

// stream gives the lines of what the step's process writes.
func (s *step) stream(e engine.Output) *show.Lines {
	if e.Stderr {
		return &s.streams[1]
	}
	return &s.streams[0]
}

// leftOut writes the warning of entries that were not exported.
func leftOut(e engine.LeftOut) string {
	return fmt.Sprintf("warning: %s: %s left out (the first: %s)", e.Why, show.Plural(int64(len(e.Paths)), "entry"), show.Quote(e.Paths[0]))
}

// name writes the number and the call of a step.
func (s *step) name() string {
	if s.number == 0 {
		return ""
	}
	return "#" + strconv.Itoa(s.number) + " "
}

// settle forgets what is no step: it is over when something is written.
func (b *board) settle() {
	b.order = slices.DeleteFunc(b.order, func(s *step) bool { return s.number == 0 })
	for n, s := range b.steps {
		if s.number == 0 {
			delete(b.steps, n)
		}
	}
}
