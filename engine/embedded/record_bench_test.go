package embedded_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/engine/embedded"
	"github.com/inlaybuild/inlay/engine/runs"
	"github.com/inlaybuild/inlay/graph"
)

// median gives the middle of some durations.
func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

// cpuTime gives what this process and those that it waited for have used of the
// processors: it says more than the clock on a machine that is busy.
func cpuTime(b *testing.B) (sum time.Duration) {
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err != nil {
			b.Fatal(err)
		}
		sum += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return sum
}

// BenchmarkRecording runs the same with and without being recorded, in turn, and
// tells by how many percent the median of the recorded runs is longer: of runs of
// one process and five copies, of one that says much, and of copies alone.
func BenchmarkRecording(b *testing.B) {
	needsProcesses(b)
	for _, c := range []struct{ name, script string }{
		{"process", "echo one; echo two >&2; echo > /made"},
		{"lines", "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done"},
		{"second", "busybox sleep 1"},
		{"copies", ""},
	} {
		b.Run(c.name, func(b *testing.B) {
			plain := open(b, embedded.Options{})
			recorded := open(b, embedded.Options{Record: true})
			var took, used [2][]time.Duration
			n := 0
			for b.Loop() {
				n++
				for i := range 2 {
					which := (i + n) % 2
					e := []*embedded.Engine{plain, recorded}[which]
					node := changedBase(b, n)
					if c.script != "" {
						node = graph.New(graph.Exec{Args: []string{"/bin/busybox", "sh", "-ec", c.script}}, "exec", node)
					}
					start, cpu := time.Now(), cpuTime(b)
					if _, err := e.Resolve(b.Context(), node, nil); err != nil {
						b.Fatal(err)
					}
					took[which] = append(took[which], time.Since(start))
					used[which] = append(used[which], cpuTime(b)-cpu)
				}
			}
			without, with := median(took[0]), median(took[1])
			b.ReportMetric(float64(without.Microseconds()), "us-without")
			b.ReportMetric(float64(with.Microseconds()), "us-with")
			b.ReportMetric(100*(float64(with)/float64(without)-1), "%-more")
			without, with = median(used[0]), median(used[1])
			b.ReportMetric(float64(without.Microseconds()), "cpu-us-without")
			b.ReportMetric(float64(with.Microseconds()), "cpu-us-with")
		})
	}
}

// changedBase gives busybox with five files, of which the last is new.
func changedBase(b *testing.B, n int) *graph.Node {
	node := script(b, graph.Exec{}, "true").Inputs()[0]
	for i := range 5 {
		text := strconv.Itoa(i)
		if i == 4 {
			text = strconv.Itoa(n)
		}
		node = graph.New(graph.NewFile{Path: "/file" + strconv.Itoa(i), Content: []byte(text)}, "new", node)
	}
	return node
}

// BenchmarkReadable measures how long it takes until another engine has what a
// process said, and the tree of a step that ended.
func BenchmarkReadable(b *testing.B) {
	needsProcesses(b)
	dir := filepath.Join(b.TempDir(), "store")
	e, reader := open(b, embedded.Options{Store: dir, Record: true}), open(b, embedded.Options{Store: dir})
	var logs, trees []time.Duration
	n := 0
	for b.Loop() {
		n++
		node := graph.New(graph.NewFile{Path: "/n", Content: []byte(fmt.Sprint(n))}, "new", graph.New(graph.Scratch{}, "scratch"))
		node = graph.New(graph.Copy{To: "/", From: []string{"/"}}, "copy", script(b, graph.Exec{}, "true").Inputs()[0], node)
		node = graph.New(graph.Exec{Args: []string{"/bin/busybox", "sh", "-ec", "echo said; busybox sleep 0.3"}}, "exec", node)
		said, copied := make(chan time.Time, 1), make(chan time.Time, 1)
		step, ended := 0, make(chan error, 1)
		go func() {
			_, err := e.Resolve(b.Context(), node, engine.SinkFunc(func(ev engine.Event) {
				switch ev := ev.(type) {
				case engine.Output:
					said <- time.Now()
				case engine.StepStarted:
					if ev.Call == "copy" {
						step = ev.Step
					}
				case engine.StepEnded:
					if step > 0 && ev.Step == step {
						copied <- time.Now()
					}
				}
			}))
			ended <- err
		}()
		at := <-copied
		for !hasTree(b, reader, step) {
		}
		trees = append(trees, time.Since(at))
		at = <-said
		for out, _, _ := logOf(b, reader, "last@exec"); out == ""; out, _, _ = logOf(b, reader, "last@exec") {
		}
		logs = append(logs, time.Since(at))
		if err := <-ended; err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(median(logs).Microseconds()), "us-log")
	b.ReportMetric(float64(slices.Max(logs).Microseconds()), "us-log-max")
	b.ReportMetric(float64(median(trees).Microseconds()), "us-tree")
	b.ReportMetric(float64(slices.Max(trees).Microseconds()), "us-tree-max")
}

// hasTree tells whether a step of the run that goes on has a tree.
func hasTree(b *testing.B, e *embedded.Engine, step int) bool {
	f, err := runs.Find(b.Context(), e.Store(), runs.Name{Run: runs.Last})
	return err == nil && len(f.Steps) >= step && !f.Steps[step-1].After.IsZero() && f.Run.State == "running"
}
