// Package graph describes what is to be made, without making it.
//
//   - An [Op] says what one step does: one struct for each kind of step, in a
//     file of its own. It holds no state of a run.
//   - A [Node] is an op with its inputs, which are nodes. Nodes are immutable
//     and may be inputs of many others.
//
// A node stands for a tree, most of them with the configuration of an image; a
// node of [Diff] stands for a change set. An engine resolves nodes.
package graph

import (
	"iter"
	"slices"
)

// Op is what a step does. Two ops that are encoded alike do the same.
type Op interface {
	// Name is the op's name, as users know it: "with-exec", "from".
	Name() string
	// Check tells whether the op can be carried out at all. The error says what
	// is wrong with an argument.
	Check() error

	op()
}

// Node is an op with its inputs.
type Node struct {
	op     Op
	inputs []*Node
	call   string
}

// New gives the node of an op. The call is what a user knows it by, such as
// `WithFile("/bin/tool")`: errors name it.
func New(op Op, call string, inputs ...*Node) *Node {
	return &Node{op: op, inputs: slices.Clone(inputs), call: call}
}

// Op gives what the node does.
func (n *Node) Op() Op { return n.op }

// Inputs gives the nodes that must be resolved before n.
func (n *Node) Inputs() []*Node { return slices.Clone(n.inputs) }

// Call gives what a user knows the node by.
func (n *Node) Call() string { return n.call }

// All gives n and all nodes that it needs, each once, inputs first.
func (n *Node) All() iter.Seq[*Node] {
	return func(yield func(*Node) bool) {
		seen := map[*Node]bool{}
		var visit func(*Node) bool
		visit = func(n *Node) bool {
			if seen[n] {
				return true
			}
			seen[n] = true
			for _, in := range n.inputs {
				if !visit(in) {
					return false
				}
			}
			return yield(n)
		}
		visit(n)
	}
}

// Check tells whether n and all nodes that it needs can be carried out. The
// error names the call that made the node.
func (n *Node) Check() error {
	for m := range n.All() {
		if err := m.op.Check(); err != nil {
			return &CallError{Call: m.call, Err: err}
		}
	}
	return nil
}

// CallError is an error of one node, with the call that made it.
type CallError struct {
	Call string
	Err  error
}

// Error names the call first.
func (e *CallError) Error() string { return e.Call + ": " + e.Err.Error() }

// Unwrap gives the error itself.
func (e *CallError) Unwrap() error { return e.Err }
