package runs

import (
	"fmt"
	"strings"
)

// Last names the newest run.
const Last = "last"

// FailedStep names the step of a run that failed: of several at once the first, of one
// after another, as in a conversation, the last.
const FailedStep = "failed"

// Name is what people call a run, or a step of one: "RUN" or "RUN@STEP". RUN is
// "last", the name of a run, or the start of one that no other run has. STEP is
// a number, "failed", or the word or op of a step that no other step has.
type Name struct {
	Run  string
	Step string // "" names the run
}

// ParseName reads a name; "" is the last run. It does not look whether there is
// such a run.
func ParseName(s string) (Name, error) {
	if s == "" {
		return Name{Run: Last}, nil
	}
	run, step, isStep := strings.Cut(s, "@")
	if run == "" {
		return Name{}, fmt.Errorf("%q: the run before the @ is missing: want RUN@STEP, such as last@3", s)
	}
	if isStep && step == "" {
		return Name{}, fmt.Errorf("%q: the step after the @ is missing: want RUN@STEP, such as last@3", s)
	}
	return Name{Run: run, Step: step}, nil
}

// String gives the form that [ParseName] reads.
func (n Name) String() string {
	if n.Step == "" {
		return n.Run
	}
	return n.Run + "@" + n.Step
}
