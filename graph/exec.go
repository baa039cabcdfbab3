package graph

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/inlaybuild/inlay/tree"
)

// Exec runs a process in its first input, with its configuration. What the
// process leaves is the result.
type Exec struct {
	Args          []string
	UseEntrypoint bool     `json:",omitempty"` // put the image's entrypoint before Args; without Args, the image's default arguments after it
	Stdin         []byte   `json:",omitempty"`
	Network       Network  `json:",omitempty"`
	Expect        []int    `json:",omitempty"` // exit codes that are no failure; none: 0
	Env           []string `json:",omitempty"` // beside the configuration's, as "NAME=value"
	Mounts        []Mount  `json:",omitempty"`
	NoCache       string   `json:",omitempty"` // anything: an exec with another value here is another exec
}

// Network is what a process can reach.
type Network string

// The values of [Network].
const (
	NetworkHost Network = ""     // what the machine can
	NetworkNone Network = "none" // only itself
)

// MountKind tells what is shown at a path while a process runs.
type MountKind string

// The kinds of mounts.
const (
	MountTree   MountKind = "tree"   // an input of the exec; what is written there is lost
	MountCache  MountKind = "cache"  // a directory that stays between runs, by its name
	MountTemp   MountKind = "temp"   // an empty directory in memory
	MountSecret MountKind = "secret" // a file with a secret, by its name
)

// Mount is something that is shown at a path while a process runs, and that is
// not part of the result.
type Mount struct {
	Kind   MountKind
	Target string
	Input  int    `json:",omitempty"` // of MountTree: which input of the exec
	Path   string `json:",omitempty"` // of MountTree: a path in it, "" for all
	Name   string `json:",omitempty"` // of MountCache and MountSecret
	Owner  string `json:",omitempty"` // of MountSecret: "uid:gid"
	Mode   uint32 `json:",omitempty"` // of MountSecret: 0 is 0400
	Size   int64  `json:",omitempty"` // of MountTemp: in bytes, 0 is half of the memory
}

// Name gives "with-exec".
func (Exec) Name() string { return "with-exec" }

// Check looks at arguments and mounts.
func (e Exec) Check() error {
	if len(e.Args) == 0 && !e.UseEntrypoint {
		return errors.New("the command is missing")
	}
	for _, s := range slices.Concat(e.Args, e.Env) {
		if err := checkText(s); err != nil {
			return err
		}
	}
	if e.Network != NetworkHost && e.Network != NetworkNone {
		return fmt.Errorf("network %q: it is none, or not given at all", e.Network)
	}
	for _, m := range e.Mounts {
		if err := m.check(); err != nil {
			return err
		}
	}
	return nil
}

// checkText looks at text for a process: images and container runtimes have it in
// JSON, which makes one of all bytes that are not UTF-8.
func checkText(s string) error {
	switch {
	case strings.IndexByte(s, 0) >= 0:
		return fmt.Errorf("%q has a NUL byte", s)
	case !utf8.ValidString(s):
		return fmt.Errorf("%q is not UTF-8, and container runtimes pass nothing else: put it into a file", s)
	}
	return nil
}

func (m Mount) check() error {
	c, err := tree.CleanPath(m.Target)
	if err == nil {
		err = checkText(m.Target)
	}
	if err != nil {
		return err
	}
	if c == "/" {
		return errors.New("nothing can be mounted at the root")
	}
	if m.Kind == MountCache || m.Kind == MountSecret {
		if m.Name == "" {
			return fmt.Errorf("the name of the %s at %s is missing", m.Kind, m.Target)
		}
	}
	return nil
}

func (Exec) op() {}
