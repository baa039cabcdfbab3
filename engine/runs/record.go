// Package runs is what an engine writes down of its runs, and how people name
// them.
//
//   - [RunRecord] and [StepRecord] are the bodies of runs and steps in the store.
//   - [Find] finds a run or a step by what people write: "last", "last@3".
//   - [Explain] tells of a run what each step did, in numbers and places.
//
// A run is one execution of a graph, a step a node of it. People count the steps
// of a run from 1, as they see them while it goes on; the store counts from 0.
package runs

import (
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/internal/store"
)

// The states of runs and of their steps that engines write, beside
// [store.Running] and [store.Crashed].
const (
	Done     store.RunState = "done"   // it was carried out
	Cached   store.RunState = "cached" // its result was there
	Failed   store.RunState = "failed"
	Canceled store.RunState = "canceled" // it was stopped because another step failed
)

// RunRecord is the body of a run in the store, as JSON.
type RunRecord struct {
	Asked string // what the user asked for
	Call  string // what made the node
}

// StepRecord is the body of a step of a run in the store, as JSON. The step has
// the digests of the first input's tree and of the result; what its process
// wrote is in its log, when it ran, and in Exec.
type StepRecord struct {
	Op      string
	Call    string
	Inputs  []int        `json:",omitempty"` // steps that made the inputs, as the store counts
	Error   string       `json:",omitempty"`
	Exec    *engine.Exec `json:",omitempty"`
	Placed  *Placed      `json:",omitempty"` // nil where it put nothing anywhere
	Written Written      `json:",omitzero"`

	Uncached *engine.Miss `json:",omitempty"` // why its result was not there; nil for a step whose result is not kept
}

// Written is how much a step brought into the store that was not there before,
// in bytes.
type Written struct {
	Blobs int64 `json:",omitempty"` // contents of files, and blobs of images
	Nodes int64 `json:",omitempty"` // directories, encoded; also those written at the end of the run so that the step's tree can be looked into
}
