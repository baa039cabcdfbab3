package buildkit_test

import (
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/buildkit"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/engine/enginetest"
	"github.com/inlaybuild/inlay/internal/treetest"
)

func TestLaws(t *testing.T) {
	enginetest.Run(t, func(t testing.TB) engine.Engine { return open(t, embedded.Options{}, buildkit.Options{}) })
}

func TestExecLaws(t *testing.T) {
	enginetest.RunExec(t, func(t testing.TB) engine.Engine { return open(t, embedded.Options{}, buildkit.Options{}) })
}

func TestRecordLaws(t *testing.T) {
	enginetest.RunRecords(t, func(t testing.TB) enginetest.Remembering {
		return open(t, embedded.Options{Record: true}, buildkit.Options{})
	})
}

// graphs is how many graphs a test draws: $INLAY_GRAPHS, or so many.
func graphs(t testing.TB, usual int) int {
	t.Helper()
	if s := os.Getenv("INLAY_GRAPHS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	return usual
}

// limits are what daemons cannot keep: see docs/buildkit.md.
var limits = enginetest.Limits{NoMoves: true, Trees: treetest.Limits{NoTrusted: true}}

// begun is before any daemon of these tests was: what one remembers of a process
// was written later.
var begun = time.Now().Add(-time.Second)

// equal compares this machine with a daemon on graphs. $INLAY_FIRST is the seed of
// the first one.
func equal(t *testing.T, n int, o buildkit.Options) {
	t.Helper()
	if os.Getenv("INLAY_RUNC") == "" {
		t.Skip("needs inlay-runc: gcc, pkg-config and libseccomp-dev")
	}
	first, _ := strconv.ParseUint(os.Getenv("INLAY_FIRST"), 10, 64)
	enginetest.Equal(t, n, enginetest.EqualOptions{Limits: limits, First: first, Since: begun}, func(t testing.TB) (a, b engine.Engine) {
		return openHere(t, embedded.Options{Record: true}), open(t, embedded.Options{Record: true}, o)
	})
}

func TestBothEnginesMakeTheSameOfGraphs(t *testing.T) {
	equal(t, graphs(t, 20), buildkit.Options{})
}

// What merges and copies make is what a process makes that changes the base.
func TestBothWaysToLowerMakeTheSameOfGraphs(t *testing.T) {
	equal(t, graphs(t, 8), buildkit.Options{Apply: true})
}
