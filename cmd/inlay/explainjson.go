package main

import (
	"time"

	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/engine/runs"
)

// explanation is what a run did, in JSON.
type explanation struct {
	Run     string          `json:"run"`
	Asked   show.Bytes      `json:"asked"`
	State   string          `json:"state"` // done, failed, running, or crashed: its process is gone
	Started time.Time       `json:"started"`
	Seconds *float64        `json:"seconds,omitempty"`
	Error   show.Bytes      `json:"error,omitempty"` // why it failed, where that is no step's
	Steps   []explainedStep `json:"steps"`
}

// explainedStep is what a step did, in JSON.
type explainedStep struct {
	Step    int        `json:"step"` // N of RUN@N
	Op      string     `json:"op"`
	Call    show.Bytes `json:"call"`
	State   string     `json:"state"`            // also cached, and canceled: another step failed
	Inputs  []int      `json:"inputs,omitempty"` // steps, as step counts
	Started time.Time  `json:"started"`
	Seconds *float64   `json:"seconds,omitempty"`
	Error   show.Bytes `json:"error,omitempty"`
	Cause   string     `json:"cause,omitempty"` // why its result was not there, as docs/progress.md has it
	Why     show.Bytes `json:"why,omitempty"`
	Before  string     `json:"before,omitempty"` // digests of trees
	After   string     `json:"after,omitempty"`
	// Lowered is how a BuildKit daemon made the trees that it needed.
	Lowered []loweredJSON `json:"lowered,omitempty"`
	// Total is what the tree after the step holds.
	Total *totalJSON `json:"total,omitempty"`
	// Change is how the tree after it differs from the one before it.
	Change *changeJSON `json:"change,omitempty"`
	// Written is the bytes that were written: of directories, also those that the run has by itself.
	Written    writtenJSON      `json:"written"`
	Placements []show.Placement `json:"placements"`
	More       int64            `json:"more,omitempty"` // placements that were not recorded
}

type loweredJSON struct {
	How string     `json:"how"`
	Why show.Bytes `json:"why"`
}

type totalJSON struct {
	Entries int64 `json:"entries"`
	Bytes   int64 `json:"bytes"`
}

type changeJSON struct {
	Added    int64 `json:"added"`
	Replaced int64 `json:"replaced"`
	Removed  int64 `json:"removed"`
	Shared   int64 `json:"shared"`
}

type writtenJSON struct {
	Files       int64 `json:"files"` // contents of files and blobs of images
	Directories int64 `json:"directories"`
}

func explanationOf(e runs.Explanation) explanation {
	out := explanation{
		Run: e.Run.Name, Asked: show.Bytes(e.Asked), State: string(e.Run.State), Started: e.Run.Started.UTC(),
		Seconds: seconds(e.Run.Started, e.Run.Ended), Error: show.Bytes(e.Error), Steps: []explainedStep{},
	}
	for _, st := range e.Steps {
		j := explainedStep{
			Step: st.Number(), Op: st.Op, Call: show.Bytes(st.Call), State: string(st.State),
			Started: st.Started.UTC(), Seconds: seconds(st.Started, st.Ended), Error: show.Bytes(st.Error),
			Before: digestJSON(st.Before), After: digestJSON(st.After),
			Total: (*totalJSON)(st.Total), Change: (*changeJSON)(st.Change),
			Written:    writtenJSON{st.Written.Blobs, st.Written.Nodes},
			Placements: []show.Placement{},
		}
		if st.Uncached != nil {
			j.Cause, j.Why = string(st.Uncached.Cause), show.Bytes(st.Uncached.Text)
		}
		for _, l := range st.Lowered {
			j.Lowered = append(j.Lowered, loweredJSON{string(l.How), show.Bytes(l.Why)})
		}
		for _, i := range st.Inputs {
			j.Inputs = append(j.Inputs, i+1)
		}
		if st.Placed != nil {
			j.Placements, j.More = show.PlacementsOf(st.Placed.List), st.Placed.More
		}
		out.Steps = append(out.Steps, j)
	}
	return out
}

// seconds gives how long something took; nil while it goes on.
func seconds(from, to time.Time) *float64 {
	if to.IsZero() {
		return nil
	}
	s := to.Sub(from).Seconds()
	return &s
}

func digestJSON(d digest.Digest) string {
	if d.IsZero() {
		return ""
	}
	return d.String()
}
