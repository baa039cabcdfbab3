package progress

import (
	"encoding/json"
	"io"
	"sync"
	"time"

	"github.com/inlaybuild/inlay/cmd/inlay/internal/show"
	"github.com/inlaybuild/inlay/engine"
)

// jsonLines writes one object for each event. docs/progress.md is the reference.
type jsonLines struct {
	mu sync.Mutex
	w  io.Writer
}

type jsonEvent struct {
	Event   string     `json:"event"`
	Step    int        `json:"step,omitempty"` // as people count
	Op      string     `json:"op,omitempty"`
	Call    show.Bytes `json:"call,omitempty"`
	At      *time.Time `json:"at,omitempty"`
	State   string     `json:"state,omitempty"`
	Cache   show.Bytes `json:"cache,omitempty"`
	Cause   string     `json:"cause,omitempty"`
	Why     show.Bytes `json:"why,omitempty"`
	How     string     `json:"how,omitempty"`
	Error   show.Bytes `json:"error,omitempty"`
	Seconds *float64   `json:"seconds,omitempty"`
	Stream  string     `json:"stream,omitempty"`
	Data    any        `json:"data,omitempty"` // the value of a show.Bytes
	What    show.Bytes `json:"what,omitempty"`
	Done    int64      `json:"done,omitempty"`
	Total   int64      `json:"total,omitempty"`
	Count   int64      `json:"count,omitempty"`
	Path    show.Bytes `json:"path,omitempty"`
	Was     string     `json:"was,omitempty"`
	Now     string     `json:"now,omitempty"`
	Entries int64      `json:"entries,omitempty"`
	Came    *int64     `json:"came,omitempty"`

	Placements []show.Placement `json:"placements,omitempty"`
	More       int64            `json:"more,omitempty"`
	Blobs      int64            `json:"blobs,omitempty"`
	Nodes      int64            `json:"nodes,omitempty"`
}

// Event writes the event.
func (j *jsonLines) Event(ev engine.Event) {
	var out jsonEvent
	switch e := ev.(type) {
	case engine.StepStarted:
		out = jsonEvent{Event: "step-started", Step: e.Step, Op: e.Op, Call: show.Bytes(e.Call), At: &e.At}
	case engine.StepEnded:
		took := e.Took.Seconds()
		out = jsonEvent{Event: "step-ended", Step: e.Step, State: state(e), Seconds: &took}
		if e.Err != nil {
			out.Error = show.Bytes(engine.ErrorText(e.Err))
		}
	case engine.Uncached:
		out = jsonEvent{Event: "uncached", Step: e.Step, Cause: string(e.Cause), Why: show.Bytes(e.Text)}
	case engine.Lowered:
		out = jsonEvent{Event: "lowered", Step: e.Step, How: string(e.How), Why: show.Bytes(e.Why)}
	case engine.Output:
		out = jsonEvent{Event: "output", Step: e.Step, Stream: "stdout", Data: show.Bytes(e.Data).Value()}
		if e.Stderr {
			out.Stream = "stderr"
		}
	case engine.Progress:
		out = jsonEvent{Event: "progress", Step: e.Step, What: show.Bytes(e.What), Done: e.Done, Total: e.Total, Count: e.Count}
	case engine.Replaced:
		out = jsonEvent{Event: "replaced", Step: e.Step, Path: show.Bytes(e.Path), Was: e.Was.String(), Now: e.Now.String(), Entries: e.Entries, Came: &e.Came}
	case engine.Placed:
		out = jsonEvent{Event: "placed", Step: e.Step, Placements: show.PlacementsOf(e.List), More: e.More}
	case engine.Written:
		out = jsonEvent{Event: "written", Step: e.Step, Blobs: e.Blobs, Nodes: e.Nodes}
	case engine.LeftOut:
		out = jsonEvent{Event: "left-out", Why: show.Bytes(e.Why), Count: int64(len(e.Paths)), Path: show.Bytes(e.Paths[0])}
	case engine.TerminalOpened:
		out = jsonEvent{Event: "terminal-opened", Step: e.Step}
	case engine.TerminalClosed:
		took := e.Left.Took.Seconds()
		out = jsonEvent{Event: "terminal-closed", Step: e.Step, What: show.Bytes(e.Left.Outcome()), Seconds: &took, Count: e.Left.Changed}
	case engine.FromCache:
		out = jsonEvent{Event: "from-cache", Step: e.Step, Cache: show.Bytes(e.Cache)}
	case engine.CacheTold:
		out = jsonEvent{Event: "cache-note", Cache: show.Bytes(e.Cache), Why: show.Bytes(e.Text)}
		if e.Warning {
			out.Event = "cache-failed"
		}
	case engine.NotKept:
		out = jsonEvent{Event: "not-kept", Step: e.Step, What: show.Bytes(e.What), Why: show.Bytes(e.Err.Error())}
	case engine.Lost:
		out = jsonEvent{Event: "lost", Step: e.Step, What: show.Bytes(e.Of)}
	default:
		return
	}
	out.Step = max(out.Step, 0) // left out where there is none
	b, err := json.Marshal(out)
	if err != nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.w.Write(append(show.JSON(b), '\n'))
}

// Output tells that a person does not see what processes say.
func (*jsonLines) Output() bool { return false }

// Pause does nothing.
func (*jsonLines) Pause() {}

// Close does nothing.
func (*jsonLines) Close() {}
