package runs

import (
	"encoding/json"
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

// plainSpec is a [Spec] as JSON would have it.
type plainSpec Spec

// specJSON is the form of a [Spec] in the store: it keeps every byte of what is run.
type specJSON struct {
	*plainSpec
	Args []Text
	Env  []Text `json:",omitempty"`
	Dir  Text
}

// MarshalJSON gives the form that UnmarshalJSON reads.
func (s Spec) MarshalJSON() ([]byte, error) {
	return json.Marshal(specJSON{(*plainSpec)(&s), texts[Text](s.Args), texts[Text](s.Env), Text(s.Dir)})
}

// UnmarshalJSON reads what MarshalJSON gave.
func (s *Spec) UnmarshalJSON(b []byte) error {
	in := specJSON{plainSpec: (*plainSpec)(s)}
	if err := json.Unmarshal(b, &in); err != nil {
		return err
	}
	s.Args, s.Env, s.Dir = texts[string](in.Args), texts[string](in.Env), string(in.Dir)
	return nil
}

// texts gives texts as others of their kind.
func texts[B, A ~string](all []A) []B {
	var out []B
	for _, a := range all {
		out = append(out, B(a))
	}
	return out
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
