package graph

import (
	"slices"
)

// Terminal stops and opens the person's terminal in its first input, as a process
// of an [Exec] would find it there. It is opened each time that a graph comes to
// it: what somebody types is no function of anything.
type Terminal struct {
	Args    []string `json:",omitempty"` // none: the user's shell, or /bin/sh
	Keep    bool     `json:",omitempty"` // the result is what is left, not the input
	Lend    bool     `json:",omitempty"` // show a static busybox of the machine, for a tree without a shell
	Network Network  `json:",omitempty"`
	Env     []string `json:",omitempty"` // beside the configuration's, as "NAME=value"
	Mounts  []Mount  `json:",omitempty"`
}

// Name gives "terminal".
func (Terminal) Name() string { return "terminal" }

// Check looks at arguments and mounts.
func (t Terminal) Check() error {
	return Exec{Args: slices.Concat(t.Args, []string{"sh"}), Network: t.Network, Env: t.Env, Mounts: t.Mounts}.Check()
}

func (Terminal) op() {}
