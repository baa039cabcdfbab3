package pipeline

import (
	"slices"

	"github.com/inlaybuild/inlay"
	"github.com/inlaybuild/inlay/graph"
)

// value is what flows through a pipeline, and what variables stand for.
type value interface{ kind() kind }

// kind tells values apart. It is a bit, so that a word can be on several.
type kind uint8

const (
	isSystem kind = 1 << iota
	isFile
	isChanges
	isText
)

// String names the kind, with an article.
func (k kind) String() string {
	switch k {
	case isSystem:
		return "a file system"
	case isFile:
		return "a file"
	case isChanges:
		return "a change set"
	case isText:
		return "text"
	}
	return "nothing"
}

// system is a file system with its configuration, and what processes in it see
// beside it.
type system struct {
	dir    inlay.Directory
	mounts []func(inlay.Container) inlay.Container
}

// file is one file of a file system.
type file struct{ inlay.File }

// changes is the difference of two file systems.
type changes struct{ node *graph.Node }

// text is what a pipeline printed, in $(...).
type text string

func (system) kind() kind  { return isSystem }
func (file) kind() kind    { return isFile }
func (changes) kind() kind { return isChanges }
func (text) kind() kind    { return isText }

// container gives the SDK's value, with what is mounted.
func (s system) container() inlay.Container {
	c := s.dir.Container()
	for _, m := range s.mounts {
		c = m(c)
	}
	return c
}

// mount gives s with one more mount.
func (s system) mount(m func(inlay.Container) inlay.Container) system {
	s.mounts = append(slices.Clone(s.mounts), m)
	return s
}

// relabel names the nodes between before and after by the word that made them,
// so that events and errors speak the language of the script.
func relabel(before, after *graph.Node, label string) *graph.Node {
	if after == before {
		return after
	}
	inputs := slices.Clone(after.Inputs())
	if before != nil && len(inputs) > 0 && inputs[0] != before && sameCall(inputs[0], after) {
		inputs[0] = relabel(before, inputs[0], label)
	}
	return graph.New(after.Op(), label, inputs...)
}

// sameCall tells whether one call of the SDK made both nodes.
func sameCall(a, b *graph.Node) bool { return a.Call() == b.Call() }
