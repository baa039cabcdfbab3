package engine

import (
	"time"

	"github.com/inlaybuild/inlay/compose"
)

// Event is a fact about a run: one of the types of this file.
type Event interface{ event() }

// Sink receives events, in order. It is called by one goroutine at a time, and
// should return at once.
type Sink interface {
	Event(Event)
}

// SinkFunc is a function as a [Sink].
type SinkFunc func(Event)

// Event calls f.
func (f SinkFunc) Event(e Event) { f(e) }

// StepStarted says that an op is being carried out.
type StepStarted struct {
	Step int // its number in the run, from 1; -1 elsewhere for what is no step
	Op   string
	Call string // what the user knows it by
	At   time.Time
}

// StepEnded says how a step ended.
type StepEnded struct {
	Step   int
	Cached bool
	Err    error
	Took   time.Duration
}

// Output is something that a process wrote. It has no secrets in it.
type Output struct {
	Step   int
	Stderr bool
	Data   []byte
}

// Progress says how far something is. It replaces what was said before of the
// same step and subject.
type Progress struct {
	Step  int // -1 for what is no step
	What  string
	Done  int64 // bytes
	Total int64 // bytes; 0 if it is not known
	Count int64 // entries, or layers
}

// Replaced says that a step lost something of the tree that it worked on: that
// something else took its place, or that it is hidden by less.
type Replaced struct {
	Step int
	compose.Replacement
}

// Written says what a step brought into the store that was not there before, in
// bytes. A step may have several, also after it has ended, which add up.
type Written struct {
	Step  int   // -1 for what is no step
	Blobs int64 // contents of files, and blobs of images
	Nodes int64 // directories, encoded
}

// LeftOut says that entries could not be written where they were exported to.
type LeftOut struct {
	Paths []string
	Why   string
}

// NotKept says that something of a run could not be written down, as on a full
// disk. The run goes on.
type NotKept struct {
	Step int // -1 for what is no step
	What string
	Err  error
}

// Lost says that what the process of a step left, and is asked for, could not be
// kept: what is given is the tree that it began with.
type Lost struct {
	Step int    // that asks for it; -1 for what is no step
	Of   string // the name of the step that failed
}

func (LeftOut) event()     {}
func (Lost) event()        {}
func (NotKept) event()     {}
func (Placed) event()      {}
func (Written) event()     {}
func (StepStarted) event() {}
func (StepEnded) event()   {}
func (Output) event()      {}
func (Progress) event()    {}
func (Replaced) event()    {}
