package runs

import (
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
	Tree digest.Digest `json:",omitzero"` // of MountTree
}
