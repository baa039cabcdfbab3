package buildkit

import (
	"testing"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/graph"
	"github.com/inlaybuild/inlay/internal/shim"
)

// Processes that see the same of others more than once do not count them more than once:
// in a chain of such ones that would double with each.
func TestAProcessIsOnceInTheClockOfWhatFollows(t *testing.T) {
	const chain = 12
	var res engine.Result
	for i := range int64(chain) {
		x := engine.RemoteProcess{Root: res, Mounts: []engine.RemoteMount{{Mount: graph.Mount{Kind: graph.MountTree}, From: res}}}
		h := &held{clock: clockOf(x, shim.Exit{ClockStart: i * 1e9, ClockEnd: i*1e9 + 5e8}, false)}
		res = engine.Result{Parts: []*engine.Held{{By: h}}}
	}
	c := clockAmong(res)
	if len(c.spans) != chain {
		t.Fatalf("%d processes are %d", chain, len(c.spans))
	}
	for i := range int64(chain) {
		if !c.has(timeOf(i*1e9+1)) || c.has(timeOf(i*1e9+6e8)) {
			t.Errorf("the process at second %d is not in it as it ran", i)
		}
	}
}
