package buildkit_test

import (
	"os"
	"strconv"
	"testing"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/buildkit"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/engine/enginetest"
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

func TestBothEnginesMakeTheSameOfGraphs(t *testing.T) {
	if os.Getenv("INLAY_RUNC") == "" {
		t.Skip("needs inlay-runc: gcc, pkg-config and libseccomp-dev")
	}
	enginetest.Equal(t, graphs(t, 25), enginetest.EqualOptions{}, func(t testing.TB) (a, b engine.Engine) {
		return openHere(t, embedded.Options{Record: true}),
			open(t, embedded.Options{Record: true}, buildkit.Options{})
	})
}
