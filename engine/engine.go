// Package engine says what an engine is: what resolves the nodes of a graph.
//
//   - An [Engine] makes the result of a node, and of those that it needs.
//   - A [Result] is a tree, with the configuration of an image.
//   - An [Event] is a fact about a run, given to a [Sink] while it goes on.
//   - A [Place] is where a tree comes from or goes to, as users write it.
//
// The same graph has the same result on every engine.
package engine

import (
	"context"
	"errors"
	"fmt"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/tree"
)

// Engine resolves graphs. It is used by several goroutines at once.
type Engine interface {
	tree.Contents

	// Resolve makes the result of a node. What was made before is not made
	// again. Errors name the call that made the node in question.
	Resolve(ctx context.Context, n *graph.Node, s Sink) (Result, error)
	// Export writes a result to a place.
	Export(ctx context.Context, r Result, to Place, o ExportOptions) (Exported, error)
	// Close ends the use of the engine.
	Close(ctx context.Context) error
}

// Result is what a node came to.
type Result struct {
	Tree tree.Tree
	// Changes is the change set that a diff came to; nil for other nodes.
	Changes *tree.ChangeSet
	// Config is how processes start in the tree, and what an image of it says.
	Config image.Config
	// Base is the image that the tree was made from.
	Base Base
	// Origin is the tree as it was when it came from outside of the graph: what
	// an engine may build on when it shows a tree to a process.
	Origin tree.Tree
	// Exec is what the last exec on the way said; nil if there was none.
	Exec *Exec

	// Held is what a remote holds of what the tree began with; nil if nothing.
	Held *Held
	// Parts is all that a remote holds of what the tree was composed of, that which it
	// began with too; some of it may not be in the tree any more.
	Parts []*Held
	// Away tells that contents may be where only a remote has them.
	Away bool
	// Whole gives the same result with a tree of which all is known. It is nil if
	// Tree is that already; otherwise Tree is a view, or has views in it: names and
	// attributes are right, digests are not.
	Whole func(ctx context.Context) (Result, error)
	// Verify holds what Whole gives against what a remote makes of it; nil if Whole
	// is what a remote was asked for.
	Verify func(ctx context.Context, whole Result) error
}

// Known gives the result with a tree of which all is known. It costs nothing if it
// was made here; what a remote holds is read there, and what was composed of it is
// made there, read and held against the tree.
func (r Result) Known(ctx context.Context) (Result, error) {
	if r.Whole == nil {
		return r, nil
	}
	whole, err := r.Whole(ctx)
	if err == nil && r.Verify != nil {
		err = r.Verify(ctx, whole)
	}
	return whole, err
}

// Base is the layers that an image of a tree starts with.
type Base struct {
	Tree   tree.Tree // what the layers give
	Layers []image.Layer
	Image  *image.Descriptor // the manifest that has these layers; nil without layers
	Config digest.Digest     // of the config that the manifest names
	Index  *image.Descriptor // what names the images of all platforms, if all of them are there; nil otherwise
	Origin string            // the reference by which a registry has the layers; "" if none is known
}

// Exec is what a process said and how it ended.
type Exec struct {
	Args     []string
	ExitCode int
	Stdout   tree.File
	Stderr   tree.File
}

// ExecError is the error of a process that failed.
type ExecError struct {
	Args     []string
	ExitCode int
	// Stdout and Stderr are the ends of what it said, with secrets masked.
	Stdout, Stderr []byte
	// Reason says why it could not start; "" if it could. ExitCode is then what
	// a shell has: 127 if something is not found, 126 if it cannot be executed,
	// 125 if there is no place for it.
	Reason string
	// Why is the reason in parts, as far as the tree tells it; nil if it does not.
	Why *Why
}

// Error tells the exit code or the reason; what the process said is not in it.
func (e *ExecError) Error() string {
	if e.Reason != "" {
		return fmt.Sprintf("%q %s", e.Args[0], e.Outcome())
	}
	return fmt.Sprintf("%q %s", e.Args, e.Outcome())
}

// ErrorText writes the error of a step: that of a process without its arguments, which
// are in the call.
func ErrorText(err error) string {
	var call *graph.CallError
	var exec *ExecError
	if errors.As(err, &call) && errors.As(err, &exec) {
		return call.Call + ": " + exec.Outcome()
	}
	return err.Error()
}

// Outcome tells what became of the process, without naming it.
func (e *ExecError) Outcome() string {
	switch {
	case e.Reason != "":
		return "did not start: " + e.Reason
	case e.Why != nil:
		return fmt.Sprintf("exited with code %d: %s", e.ExitCode, e.Why.Text)
	}
	return fmt.Sprintf("exited with code %d", e.ExitCode)
}

// ExportOptions say how a result is written. The zero ExportOptions write gzip
// layers.
type ExportOptions struct {
	Compression Compression
	PlainHTTP   bool // push without TLS; to this machine it is not needed
	// AllPlatforms exports every platform of an imported image, unchanged.
	AllPlatforms bool
	// Existing says what becomes of a directory that is not empty: "" refuses,
	// "merge" writes into it, "replace" empties it.
	Existing string
	// Progress receives events; nil drops them.
	Progress Sink
	// Epoch is when the image says that it was made, in seconds since 1970. An engine
	// says so to its remote; what it is given is its own.
	Epoch int64
}

// Compression is how a new layer is compressed.
type Compression string

// The values of [Compression].
const (
	Gzip         Compression = ""
	Zstd         Compression = "zstd"
	Uncompressed Compression = "none"
)

// Exported is what an export wrote.
type Exported struct {
	Place string
	// Image names the manifest or index; nil for a directory or a plain tar.
	Image     *image.Descriptor
	NewLayer  *image.Layer // made from what changed since the base; nil if nothing did
	Reused    int          // layers that are the base's own; -1 if a remote wrote it, which does not say
	Platforms []string
}
