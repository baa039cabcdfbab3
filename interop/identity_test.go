package interop

import (
	"testing"
	"time"

	"github.com/inlaybuild/inlay/internal/treetest"
)

// What is compared with BuildKit's results is all that they are: nothing is lost on
// the way.
func TestTreesGoToBuildKitAndBackAsTheyAre(t *testing.T) {
	d := sharedDaemon(t)
	started := time.Now()
	var tasks []task
	for seed := range batchSize * 2 {
		l := treetest.Seeded(uint64(seed)).Listing(treetest.Limits{Disk: true})
		tasks = append(tasks, task{op: "none", trees: []treetest.Listing{l}})
	}
	verdicts, err := d.judge.ask(tasks)
	if err != nil {
		t.Fatal(err)
	}
	for n, v := range verdicts {
		want := tasks[n].trees[0]
		if v.refusal != "" || !v.tree.Equal(want) {
			t.Errorf("%s%s\n%s", v.refusal, treetest.Differences(v.tree, want), want)
		}
	}
	t.Logf("%d trees in %v", len(tasks), time.Since(started))
}
