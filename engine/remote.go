package engine

import (
	"context"
	"io"
	"syscall"
	"time"

	"github.com/inlaybuild/inlay/digest"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/image"
	"github.com/inlaybuild/inlay/tree"
)

// Remote is a machine that runs processes for an engine, and holds what they
// leave. The engine composes trees itself, over views of what the remote holds
// ([tree.View]); the remote is told what came of it when a process is to see it.
// It is used by several goroutines at once.
type Remote interface {
	// OpenContent opens a file that the remote holds, by the stand-in of its
	// content or by its digest. The error for one that it does not is fs.ErrNotExist.
	tree.Contents
	// Pull gives an image of a registry, which the remote fetches; "" is the
	// platform that it runs by default.
	Pull(ctx context.Context, ref, platform string, p Sink) (Result, error)
	// Exec runs a process.
	Exec(ctx context.Context, x RemoteExec) (RemoteExit, error)
	// Whole gives a tree that is held as it is, with the digests of all contents,
	// which stay where they are.
	Whole(ctx context.Context, h *Held) (tree.Tree, error)
	// Verify has the remote make a result of which all is known, and holds what it
	// made against it: how it was made in the end.
	Verify(ctx context.Context, r Result) (Lowering, error)
	// Export has the remote export a result, and tells whether it can.
	Export(ctx context.Context, r Result, to Place, o ExportOptions) (Exported, bool, error)
	// Fetch brings the contents of a result here, all at once.
	Fetch(ctx context.Context, r Result) error
	// Enter runs the process of a session until its end, or that of ctx, which ends it.
	// Close what it gives.
	Enter(ctx context.Context, x RemoteSession) (RemoteVisit, error)
	// ExportCache has the remote write what it made to the caches that were asked for.
	ExportCache(ctx context.Context) error
	// Close ends the use of the remote.
	Close(ctx context.Context) error
}

// Held is a tree that a remote holds: an image that it pulled, or what a process
// left. Results that were composed of it have it too, as what they began with.
type Held struct {
	Tree tree.Tree // a view; or, when all of it is known, the tree itself
	By   any       // what the remote knows it by
}

// Local is what a remote takes from the engine that it works for.
type Local interface {
	// OpenContent opens a file that is here.
	tree.Contents
	// Blob opens a blob of an image that is here, not verified, and gives its size.
	// It is closed if it is an io.Closer.
	Blob(ctx context.Context, d digest.Digest) (io.ReaderAt, int64, error)
	// Keep keeps content here.
	Keep(ctx context.Context, r io.Reader) (digest.Digest, int64, error)
	// KeepTar keeps the contents of all files of a tar here.
	KeepTar(ctx context.Context, r io.Reader) error
	// Has tells which contents are not here.
	Missing(ctx context.Context, ds []digest.Digest) ([]digest.Digest, error)
	// RootAttr gives the attributes that an image of a registry gives the root, which
	// no remote knows.
	RootAttr(ctx context.Context, ref string, p image.Platform) (tree.Attr, error)
	// Recall gives what was remembered of a tree; nil if nothing was.
	Recall(ctx context.Context, of digest.Digest) ([]byte, error)
	// Remember remembers something of trees, for as long as they are kept or a little
	// longer.
	Remember(ctx context.Context, what map[digest.Digest][]byte) error
	// Secret gives the value of a secret.
	Secret(ctx context.Context, name string) ([]byte, error)
	// Tell tells who resolves something what happens that is no step's.
	Tell(ev Event)
}

// RemoteProcess is a process that a remote is to run, and what it sees.
type RemoteProcess struct {
	Call    string // for people
	Root    Result
	Args    []string
	Env     []string
	Dir     string
	UID     uint32
	GID     uint32
	Groups  []uint32
	Network graph.Network
	Mounts  []RemoteMount
	// Lowered receives how the trees were made at the remote.
	Lowered func(Lowering)
}

// RemoteExec is a process whose result is wanted, and that may have one already.
type RemoteExec struct {
	RemoteProcess
	Stdin   []byte
	NoCache string
	// Expect is the exit codes that are no failure: a failure that the remote
	// remembers is tried again.
	Expect []int
	// Remembered takes such a failure for what it was: the step is looked into.
	// Attempt is then that of the exit that it had.
	Remembered bool
	Attempt    string
	// Output receives what the process writes, while it does.
	Output func(stderr bool, b []byte)
	// Restarted is told when the process is run again, by this machine or another one:
	// it went away, or has dropped a part of what the process came to. Output gets all of
	// it again.
	Restarted func(on string)
}

// RemoteMount is a mount of a process that a remote is to run.
type RemoteMount struct {
	graph.Mount
	Target string // free of symlinks
	From   Result // of MountTree
	Path   string // of MountTree: free of symlinks
}

// RemoteExit is what a process left at a remote.
type RemoteExit struct {
	Held   *Held // nil of one that did not start
	Cached bool
	// Attempt tells it from other exits of the same process; "" is the first.
	Attempt string
	Exit    ProcessExit
	Stdout  io.Reader // all that it wrote
	Stderr  io.Reader
}

// ProcessExit is how a process ended.
type ProcessExit struct {
	Code   int
	Signal int
	OOM    bool
	// NotStarted is why it could not be started, in the words of runc; "" if it was.
	NotStarted string
}

// RemoteSession is a process of a person.
type RemoteSession struct {
	RemoteProcess
	// Lent is shown at LentAt, with programs for this machine's
	// architecture; nil lends nothing.
	Lent   *tree.Tree
	LentAt string

	Terminal *RemoteTerminal // nil: pipes
	Stdin    io.Reader       // nil: nothing
	Stdout   io.Writer       // nil: nobody hears it
	Stderr   io.Writer       // nil: nobody hears it
	Signals  <-chan syscall.Signal
	Grace    time.Duration // between SIGTERM and SIGKILL, when it is ended
}

// RemoteTerminal is a terminal that a process is started on.
type RemoteTerminal struct {
	Size   WindowSize
	Resize <-chan WindowSize // is not closed
}

// WindowSize is that of a terminal, in characters.
type WindowSize struct{ Rows, Columns uint16 }

// RemoteVisit is a session whose process has ended. What it left is there until
// Close.
type RemoteVisit interface {
	// Exit tells how it ended, and how long it ran.
	Exit() (ProcessExit, time.Duration)
	// Left gives the tree as the process left it. Before is as it found it. All is
	// known of both. If contents are wanted, those that are new at the remote are kept
	// here.
	Left(ctx context.Context, before tree.Tree, contents bool) (tree.Tree, error)
	Close(ctx context.Context)
}

// Lowering is how a remote made a tree of what it held.
type Lowering struct {
	How LoweringKind
	Why string // in words, with what was laid over what
}

// String says it in one line.
func (l Lowering) String() string {
	if l.How == LowerNothing {
		return l.Why
	}
	return string(l.How) + ": " + l.Why
}

// LoweringKind is what a remote made a tree with.
type LoweringKind string

// The kinds of [Lowering].
const (
	LowerNothing LoweringKind = "held"  // it had the tree
	LowerMerge   LoweringKind = "merge" // snapshots are laid over one another: nothing is copied into the base
	LowerCopy    LoweringKind = "copy"  // files are copied into the base
	LowerApply   LoweringKind = "apply" // a process changes the base
)

// Lowered says how the remote made a tree that a step needs.
type Lowered struct {
	Step int
	Lowering
}

func (Lowered) event() {}
