package embedded_test

import (
	"os"
	"strconv"
	"testing"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/engine/enginetest"
	"github.com/inlaybuild/inlay/internal/checkout"
)

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

func TestEveryWayToShowTreesMakesTheSameOfGraphs(t *testing.T) {
	needsProcesses(t)
	for _, m := range []checkout.Method{checkout.Plain, checkout.Copy} {
		t.Run(m.String(), func(t *testing.T) {
			enginetest.Equal(t, graphs(t, 100), enginetest.EqualOptions{}, func(t testing.TB) (a, b engine.Engine) {
				return open(t, embedded.Options{Secret: enginetest.Secret, Record: true}),
					open(t, embedded.Options{Secret: enginetest.Secret, Record: true, Root: m})
			})
		})
	}
}

func TestRecordLaws(t *testing.T) {
	needsProcesses(t)
	enginetest.RunRecords(t, func(t testing.TB) enginetest.Remembering {
		return open(t, embedded.Options{Secret: enginetest.Secret, Record: true})
	})
}
