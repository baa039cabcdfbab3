package runs

import (
	"slices"
	"strconv"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/graph"
)

// Spec is what the process of a step is run with, beside the step's first input:
// enough to run it, or another one in its place, again. No secret is in it but by
// its name.
type Spec struct {
	Args    []string
	Env     []string `json:",omitempty"`
	Dir     string
	User    string        `json:",omitempty"`
	Stdin   int           `json:",omitempty"` // bytes that it is given to read, which are not kept
	Network graph.Network `json:",omitempty"`
	Mounts  []Mount       `json:",omitempty"`
}

// Mount is a mount that a process sees. A tree is that of an input of the step, so
// it is kept as long as the step.
type Mount struct {
	graph.Mount
	Tree digest.Digest `json:",omitzero"` // of MountTree; zero if only a remote has it
	// Step is the step whose result that is, where Tree is not known: [Found.Spec]
	// gives it.
	Step string `json:"-"`
}

// Spec gives what the process of a step was run with, nil if it had none. Trees that
// only a remote has are named by the steps that made them.
func (f Found) Spec(st *Step) *Spec {
	if st.Spec == nil {
		return nil
	}
	s := *st.Spec
	s.Mounts = slices.Clone(s.Mounts)
	for i, m := range s.Mounts {
		if m.Kind == graph.MountTree && m.Tree.IsZero() && m.Input > 0 && m.Input < len(st.Inputs) {
			s.Mounts[i].Step = Name{Run: f.Run.Name, Step: strconv.Itoa(st.Inputs[m.Input] + 1)}.String()
		}
	}
	return &s
}
