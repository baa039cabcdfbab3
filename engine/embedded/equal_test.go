package embedded_test

import (
	"os"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/engine/enginetest"
	"github.com/inlaybuild/inlay/internal/checkout"
)

// The ways to show trees differ in what overlays a tree and what does not: a
// process must not be able to tell.
func TestEveryWayToShowTreesMakesTheSameOfGraphs(t *testing.T) {
	needsProcesses(t)
	n, o := 12, enginetest.EqualOptions{}
	if os.Getenv("INLAY_LONG") != "" { // others each time
		n, o.First = 2000, uint64(time.Now().UnixNano())
	}
	for _, m := range []checkout.Method{checkout.Plain, checkout.Copy} {
		t.Run(m.String(), func(t *testing.T) {
			enginetest.Equal(t, n, o, func(t testing.TB) (a, b engine.Engine) {
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
