// Package inlay composes container file systems and runs processes in them.
//
//   - A [Directory] is a file system, or a part of one: a value. Putting files
//     into it gives another one; the first stays as it was.
//   - A [File] is one file of a directory.
//   - A [Container] is a directory in which processes run, with their
//     environment, and which can become an image.
//   - A [ChangeSet] is the difference between two directories.
//   - A [Client] makes them real: it has an engine and a store.
//
// Building values does no input or output and cannot fail; a wrong argument
// surfaces when a value is resolved, by a method that takes a Client, and the
// error names the call that made it.
//
// Paths mean what they mean to a process in the file system: copying to
// /bin/tool where /bin is a symlink to usr/bin puts the file into /usr/bin and
// leaves the symlink alone. [CopyOptions] has the other ways.
package inlay

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/graph"
)

// CopyOptions say how files are put into a directory. The zero CopyOptions keep
// the attributes of the source and follow the symlinks of the destination. See
// graph.CopyOptions for the fields.
type CopyOptions = graph.CopyOptions

// ExecError is the error of a process that failed: its exit code, and the end
// of what it said.
type ExecError = engine.ExecError

// CallError is an error with the call that it comes from.
type CallError = graph.CallError

// call writes down a call for errors to name.
func call(name string, args ...any) string {
	s := name + "("
	for i, a := range args {
		if i > 0 {
			s += ", "
		}
		switch a := a.(type) {
		case string:
			s += strconv.Quote(a)
		default:
			s += fmt.Sprint(a)
		}
	}
	return s + ")"
}

// AttrOptions say how far a change of attributes goes.
type AttrOptions struct {
	Shallow bool // change what the paths lead to alone, not what is below it
}

// EditOptions say what becomes of what is there already.
type EditOptions struct {
	Forbid bool // make it an error, instead of replacing it
}

func (o EditOptions) existing() compose.Existing {
	if o.Forbid {
		return compose.ExistingForbid
	}
	return compose.ExistingMerge
}

// last gives the options of a call; none is the zero value.
func last[O any](opts []O) (o O) {
	if len(opts) > 0 {
		o = opts[len(opts)-1]
	}
	return o
}

// one gives the options of a call, as a copy: what the caller does with theirs
// later does not change the value.
func one(opts []CopyOptions) CopyOptions {
	o := last(opts)
	o.Include, o.Exclude = slices.Clone(o.Include), slices.Clone(o.Exclude)
	if o.Time != nil {
		t := *o.Time
		o.Time = &t
	}
	return o
}

// literal gives a path as a pattern that only the path matches.
func literal(p string) string {
	if !strings.ContainsAny(p, `*?[`) {
		return p
	}
	return strings.NewReplacer("*", `\*`, "?", `\?`, "[", `\[`, `\`, `\\`).Replace(p)
}
