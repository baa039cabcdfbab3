package graph

import "errors"

// Scratch is the empty tree.
type Scratch struct{}

// Name gives "scratch".
func (Scratch) Name() string { return "scratch" }

// Check never fails.
func (Scratch) Check() error { return nil }
func (Scratch) op()          {}

// From is a tree that has a name: an image in the store or in a registry, an
// OCI layout, an archive, a tree in the store.
type From struct {
	Source   string // as the command line has it: a reference, "oci:DIR:TAG", "dir:PATH", ...
	Platform string `json:",omitempty"` // "os/arch[/variant]"; "" is the host's
}

// Name gives "from".
func (From) Name() string { return "from" }

// Check wants a source.
func (f From) Check() error {
	if f.Source == "" {
		return errors.New("the name of an image or a tree is missing")
	}
	return nil
}
func (From) op() {}

// Host is a directory or a file of the machine that the engine's client is on.
// A file becomes a tree that holds it alone.
type Host struct {
	Path      string
	File      bool     // it must be a file; otherwise a directory
	Include   []string `json:",omitempty"` // only what matches, in the language of .dockerignore
	Exclude   []string `json:",omitempty"` // not what matches
	Gitignore bool     `json:",omitempty"` // not what the .gitignore files in it ignore
	KeepOwner bool     `json:",omitempty"` // owners as on the host; otherwise 0:0
	KeepLink  bool     `json:",omitempty"` // of a File that is a symlink, the symlink
}

// Name gives "host".
func (Host) Name() string { return "host" }

// Check wants a path.
func (h Host) Check() error {
	if h.Path == "" {
		return errors.New("the path on this machine is missing")
	}
	return nil
}
func (Host) op() {}
