package engine

// Uncached says that the result of a step was not there, and why: of an exec
// before its process runs. Each step that succeeds has one unless it was cached.
type Uncached struct {
	Step int // of the run, from 1
	Miss
}

// Miss is why a result was not there.
type Miss struct {
	Cause Cause
	Text  string // the same in words, with what changed: "its command is another one; it was: make"
}

// Cause is a kind of reason why a result was not there.
type Cause string

// The causes of a [Miss].
const (
	NeverRun           Cause = "never-run"           // no such step was carried out here, as far as is remembered
	FailedBefore       Cause = "failed-before"       // it was, and failed
	StoppedBefore      Cause = "stopped-before"      // it was, and was canceled
	Collected          Cause = "collected"           // it was, and what came of it was removed since, or damaged
	CommandChanged     Cause = "command-changed"     // of the process
	EnvironmentChanged Cause = "environment-changed" // variables of the process
	SettingsChanged    Cause = "settings-changed"    // its user, directory, network, mounts and so on
	InputChanged       Cause = "input-changed"       // a file system that it sees
	ToldAgain          Cause = "told-again"          // the user wants it carried out again
	FilesChanged       Cause = "files-changed"       // files of this machine were read, as they are new or changed of late
	NotInStore         Cause = "not-in-store"        // an image, or a part of it
	NotKnown           Cause = "not-known"           // a remote had none, and does not say why
	ReadEveryTime      Cause = "read-every-time"     // a source of which nothing is kept
	MadeEveryTime      Cause = "made-every-time"     // a tree that is put together: that costs less than a look for it
	OpenedEveryTime    Cause = "opened-every-time"   // a terminal
)

func (Uncached) event() {}
