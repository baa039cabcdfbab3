// Package runs is what an engine writes down of its runs, and how people name
// them.
//
//   - [RunRecord] and [StepRecord] are the bodies of runs and steps in the store.
//   - [Find] finds a run or a step by what people write: "last", "last@3".
//   - [List] lists runs; [OpenLog] reads what the process of a step said, also while
//     it says it.
//   - [Measure] tells which step brought what takes the space of a tree.
//   - [Explain] tells of a run what each step did, in numbers and places.
//
// A run is one execution of a graph, a step a node of it. People count the steps
// of a run from 1, as they see them while it goes on; the store counts from 0.
package runs

import (
	"fmt"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/internal/store"
)

// The states of runs and of their steps that engines write, beside
// [store.Running] and [store.Crashed].
const (
	Waiting  store.RunState = "waiting" // the step has not begun yet
	Done     store.RunState = "done"    // it was carried out
	Cached   store.RunState = "cached"  // its result was there
	Failed   store.RunState = "failed"
	Canceled store.RunState = "canceled" // it was stopped: by the user, or because another step failed
	Skipped  store.RunState = "skipped"  // the step did not begin, because another one failed
)

// RunRecord is the body of a run in the store, as JSON.
type RunRecord struct {
	Asked Text // what the user asked for
	Call  Text // what made the first node
	Error Text `json:",omitempty"` // how it failed
	// Engine is the engine that carried it out, as users name it; "" is the embedded one.
	Engine string `json:",omitempty"`
}

// StepRecord is the body of a step of a run in the store, as JSON. The step has
// the digests of the first input's tree and of the result, or of what a failed
// one left; what its process said is in its log.
type StepRecord struct {
	Op      string
	Call    Text
	Inputs  []int        `json:",omitempty"` // steps that make the inputs, as the store counts
	Error   Text         `json:",omitempty"`
	Exec    *engine.Exec `json:",omitempty"` // of an exec that did not fail
	Process *Process     `json:",omitempty"` // what became of its process, if one ran
	Log     *LogName     `json:",omitempty"` // where the log of a cached exec is, if it is still kept
	Spec    *Spec        `json:",omitempty"` // of an exec or a terminal, from its beginning on
	Placed  *Placed      `json:",omitempty"` // nil where it put nothing anywhere
	Written Written      `json:",omitzero"`
	Image   *Image       `json:",omitempty"` // nil if it is that of the first input

	Cache     string `json:",omitempty"` // of others, that the result came from
	Elsewhere bool   `json:",omitempty"` // the step's tree is not in the store, as parts of it are in a cache of others
	// Node is the op, of a step whose tree may be known to a remote alone: it is
	// resolved again to be looked into.
	Node *graph.Encoded `json:",omitempty"`
	// Attempt is that of the process that a remote ran; "" is the first.
	Attempt string `json:",omitempty"`
	// Lowered is how a remote made the trees that it needed.
	Lowered []engine.Lowering `json:",omitempty"`

	Uncached *Miss `json:",omitempty"` // why its result was not there
}

// Miss is [engine.Miss] as JSON that keeps every byte.
type Miss struct {
	Cause engine.Cause
	Text  Text
}

// Process is what became of a process.
type Process struct {
	ExitCode   int    // what a shell would have
	Signal     int    `json:",omitempty"` // that ended it
	OOM        bool   `json:",omitempty"` // for lack of memory
	NotStarted bool   `json:",omitempty"` // it could not be started
	Canceled   bool   `json:",omitempty"` // it was stopped
	Stdout     int64  // bytes that it wrote, masked
	Stderr     int64  // the same
	NotLogged  string `json:",omitempty"` // why the log does not have all of it
}

// LogName says where a log is: that of a step, as the store counts.
type LogName struct {
	Run   string
	Index int
}

// String gives the name of the step, as people write it.
func (l LogName) String() string { return fmt.Sprintf("%s@%d", l.Run, l.Index+1) }

// Image is how processes start in a step's tree, and what an image of it is made
// from.
type Image struct {
	Config []byte
	Base   *Base `json:",omitempty"` // nil for none
}

// Base is [engine.Base], with the digest of its tree.
type Base struct {
	Tree   digest.Digest
	Layers []image.Layer     `json:",omitempty"`
	Image  *image.Descriptor `json:",omitempty"`
	Config digest.Digest     `json:",omitzero"`
	Index  *image.Descriptor `json:",omitempty"`
	Origin string            `json:",omitempty"`
}

// Written is how much a step brought into the store that was not there before,
// in bytes.
type Written struct {
	Blobs int64 `json:",omitempty"` // contents of files, and blobs of images
	Nodes int64 `json:",omitempty"` // directories, encoded; also those written, with the run, so that the step's tree can be looked into
}
