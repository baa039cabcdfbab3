package inlay

import (
	"slices"

	"github.com/inlaybuild/inlay/graph"
)

// TerminalOptions say what is opened, and what becomes of it.
type TerminalOptions struct {
	Args      []string // what is run; none stand for the user's shell, or /bin/sh
	Keep      bool     // go on with what was changed; otherwise it is thrown away
	LendShell bool     // show a static busybox of this machine beside the tree, which may have no shell
	NoNetwork bool     // the process reaches only itself
	Env       []string // variables of this process alone, as "NAME=value"
}

// WithTerminal stops there, and opens the person's terminal in the container as it
// is at this point; when the process ends, however it does, things go on. Each
// client stops once at a value, when it is first needed. Without a terminal it
// is an [engine.ErrNoTerminal].
func (c Container) WithTerminal(opts ...TerminalOptions) Container {
	var t graph.Terminal
	if len(opts) > 0 {
		o := opts[0]
		t = graph.Terminal{Args: slices.Clone(o.Args), Keep: o.Keep, Lend: o.LendShell, Env: slices.Clone(o.Env)}
		if o.NoNetwork {
			t.Network = graph.NetworkNone
		}
	}
	var inputs []*graph.Node
	t.Mounts, inputs = c.mounted()
	return c.with(c.root.with(t, call("WithTerminal"), inputs...))
}
