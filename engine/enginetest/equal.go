package enginetest

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/engine"
	"github.com/inlaybuild/inlay/graph"
)

// OpenTwo opens two engines that are to be alike, for one graph after another.
// They are closed when the test ends. Both have the [Secret] of the laws. Engines
// that are [Remembering] are compared in what they remember, too: both, or none.
type OpenTwo func(t testing.TB) (a, b engine.Engine)

// EqualOptions say how [Equal] works. The zero EqualOptions are right for engines
// of this machine.
type EqualOptions struct {
	Limits Limits
	// First is the seed of the first graph; the next ones count from there. 0 is 1.
	First uint64
	// AtATime is how many graphs are resolved at a time, each on two engines of its
	// own; 0 is 3.
	AtATime int
	// Since is when a clock's times begin; the zero Since is when Equal is called.
	// It is earlier where processes may have run before, and are not run again.
	Since time.Time
	// Kind is the [Difference.Kind] that alone counts; "" counts all.
	Kind string
	// Patience is how long a graph may take on an engine; 0 is a minute.
	Patience time.Duration
}

// Equal tests that two engines make the same of n graphs: trees entry for entry,
// configurations, what processes say and how they end, errors, what is told of
// steps and what is remembered of runs. Times of modification that a clock of the
// test made on both count as equal. The first graph that shows a difference is
// made small and printed with it.
func Equal(t *testing.T, n int, o EqualOptions, open OpenTwo) {
	t.Helper()
	r := newRounds(t, o)
	if f := r.search(n, open); f != nil {
		var p pair
		p.a, p.b = open(t)
		r.report(p, f)
	}
}

// FirstDifference gives what [Equal] would fail with, as it is found; ok is false
// if n graphs show no difference.
func FirstDifference(t testing.TB, n int, o EqualOptions, open OpenTwo) (d Difference, ok bool) {
	t.Helper()
	f := newRounds(t, o).search(n, open)
	if f == nil {
		return Difference{}, false
	}
	return f.diff[0], true
}

// Compare resolves a graph on two engines, and gives what differs, for people; ""
// if they are alike. Calls must be different for different nodes.
func Compare(t testing.TB, n *graph.Node, o EqualOptions, a, b engine.Engine) string {
	t.Helper()
	found := newRounds(t, o).compare(pair{a, b}, n)
	if len(found) == 0 {
		return ""
	}
	return firstOf(found)
}

// pair is two engines that one goroutine uses.
type pair struct{ a, b engine.Engine }

// rounds is graph after graph.
type rounds struct {
	t     testing.TB
	o     EqualOptions
	dir   string
	root  step
	since time.Time
	count atomic.Int64 // of directories

	mu    sync.Mutex
	found *finding
	seen  map[string]int
}

// finding is a program on which engines differ.
type finding struct {
	seed uint64
	p    program
	diff []Difference
}

func newRounds(t testing.TB, o EqualOptions) *rounds {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: the trees have owners and devices")
	}
	if o.First == 0 {
		o.First = 1
	}
	if o.AtATime == 0 {
		o.AtATime = 3
	}
	if o.Patience == 0 {
		o.Patience = time.Minute
	}
	r := &rounds{t: t, o: o, dir: t.TempDir(), since: o.Since, seen: map[string]int{}}
	if r.since.IsZero() {
		r.since = time.Now().Add(-time.Second) // clocks of file systems are coarse
	}
	if !o.Limits.NoExecs {
		r.root = processRoot(t, filepath.Join(r.dir, "root"))
	}
	return r
}

// search resolves the graphs of n seeds, and gives the first that is found to
// differ; nil if none does.
func (r *rounds) search(n int, open OpenTwo) *finding {
	r.t.Helper()
	pairs := make([]pair, min(r.o.AtATime, n))
	for i := range pairs {
		pairs[i].a, pairs[i].b = open(r.t)
	}
	started := time.Now()
	var wg sync.WaitGroup
	var next, done atomic.Int64
	for _, p := range pairs {
		wg.Go(func() {
			for i := next.Add(1); i <= int64(n) && !r.over(); i = next.Add(1) {
				r.round(p, r.o.First+uint64(i)-1)
				done.Add(1)
			}
		})
	}
	wg.Wait()
	r.tell(int(done.Load()), time.Since(started))
	return r.found
}

// over tells whether enough was seen.
func (r *rounds) over() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.found != nil || r.t.Context().Err() != nil
}

// round compares the engines on the graph of a seed.
func (r *rounds) round(p pair, seed uint64) {
	g := draw(seed, r.o.Limits, r.root)
	found := r.try(p, g)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.note(g)
	if len(found) > 0 && r.found == nil {
		r.found = &finding{seed, g, found}
	}
}

// try compares the engines on a program. Its trees are on disk meanwhile.
func (r *rounds) try(p pair, g program) []Difference {
	dir := filepath.Join(r.dir, fmt.Sprint(r.count.Add(1)))
	defer os.RemoveAll(dir)
	n, err := g.node(dir)
	if err != nil {
		return []Difference{{"no graph", err.Error()}}
	}
	return r.compare(p, n)
}

// compare resolves a graph on both engines, at the same time.
func (r *rounds) compare(p pair, n *graph.Node) []Difference {
	var out [2]*outcome
	var errs [2]error
	var wg sync.WaitGroup
	for i, e := range []engine.Engine{p.a, p.b} {
		wg.Go(func() {
			ctx, cancel := context.WithTimeoutCause(r.t.Context(), r.o.Patience, fmt.Errorf("it took longer than %v", r.o.Patience))
			defer cancel()
			out[i], errs[i] = observe(ctx, e, n)
		})
	}
	wg.Wait()
	for i, name := range []string{"the one", "the other"} {
		if errs[i] != nil {
			return []Difference{{"broken", name + ": " + errs[i].Error()}}
		}
	}
	r.ended(n, out[0])
	found := compare(n, r.since, out[0], out[1])
	return slices.DeleteFunc(found, func(d Difference) bool { return r.o.Kind != "" && r.o.Kind != d.Kind })
}

// note counts what graphs have.
func (r *rounds) note(g program) {
	for _, s := range g {
		if s.op != nil {
			r.seen[s.op.Name()]++
		}
	}
	r.seen[fmt.Sprintf("(%d processes)", g.execs())]++
}

// ended counts how a graph ended.
func (r *rounds) ended(n *graph.Node, o *outcome) {
	how := "(succeeded)"
	if o.err == nil && o.result.Exec != nil {
		how = "(succeeded, with what a process said)"
	}
	for m := range n.All() {
		if o.err != nil && m.Call() == o.failed() {
			how = "(failed: " + m.Op().Name() + ")"
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seen[how]++
}

// tell tells what graphs there were.
func (r *rounds) tell(n int, took time.Duration) {
	r.t.Helper()
	var all []string
	for _, k := range slices.Sorted(maps.Keys(r.seen)) {
		all = append(all, fmt.Sprintf("%s %d", k, r.seen[k]))
	}
	r.t.Logf("%d graphs in %v: %s", n, took.Round(time.Millisecond), strings.Join(all, ", "))
}

// report makes a program small on which the engines differ, and fails the test.
func (r *rounds) report(p pair, f *finding) {
	r.t.Helper()
	end := time.Now().Add(time.Minute)
	small := *f
	shrink(f.p, func(g program) bool {
		if time.Now().After(end) {
			return false
		}
		d := r.try(p, g)
		if len(d) == 0 || d[0].Kind != f.diff[0].Kind {
			return false
		}
		small.p, small.diff = g, d
		return true
	})
	r.t.Errorf("the graph of seed %d, made small:\n%s\n%s", f.seed, small.p, firstOf(small.diff))
}
