package compose_test

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/inlaybuild/inlay/compose"
	"github.com/inlaybuild/inlay/internal/model"
	"github.com/inlaybuild/inlay/internal/treetest"
	"github.com/inlaybuild/inlay/tree"
)

// long tells whether there is all the time in the world: $INLAY_LONG is set.
func long() bool { return os.Getenv("INLAY_LONG") != "" }

// disagreement tells in what compose and the model differ over a case; "" if
// they agree.
func disagreement(t testing.TB, c treetest.Case) string {
	got, tr := c.Run(t.Context())
	want := model.Run(c)
	switch {
	case got.Failure != want.Failure:
		return fmt.Sprintf("failed with %q (%v), the model with %q (%v)", got.Failure, got.Err, want.Failure, want.Err)
	case !slices.Equal(got.Forbidden, want.Forbidden):
		return fmt.Sprintf("forbidden %q, the model says %q", got.Forbidden, want.Forbidden)
	case !slices.Equal(got.Found, want.Found):
		return fmt.Sprintf("found %q, the model %q", got.Found, want.Found)
	case got.Failure != "":
		return ""
	case !got.Tree.Equal(want.Tree):
		return "differs from the model:\n" + treetest.Differences(got.Tree, want.Tree)
	case c.Verb != "diff" && !slices.Equal(got.Replaced, want.Replaced): // of a diff the model has the tree alone
		return fmt.Sprintf("lost %+v, the model %+v", got.Replaced, want.Replaced)
	case want.Tree.MustTree().Digest() != tr.Digest():
		return "the model's tree has another digest, and the same listing"
	}
	if what := otherwise(t, c, tr); what != "" {
		return what
	}
	if c.Verb == "diff" {
		if now := c.Src.WithTexts(); !got.Tree.Equal(now) {
			return "applied, the diff does not give the second tree:\n" + treetest.Differences(got.Tree, now)
		}
	}
	return ""
}

// otherwise tells whether looking at the destination's names, as is done for
// directories that have many more than it, gives another tree.
func otherwise(t testing.TB, c treetest.Case, want tree.Tree) string {
	var got tree.Tree
	o, err := c.Compose(t.Context())
	if err != nil {
		return err.Error()
	}
	switch c.Verb {
	case "copy", "file", "directory":
		var r compose.Result
		from, to := c.From()
		r, err = compose.CopyWide(t.Context(), c.Dst.MustTree(), to, c.Src.MustTree(), from, o, 1)
		got = r.Tree
	case "merge":
		if got, err = compose.MergeWide(t.Context(), c.Dst.MustTree(), c.Src.MustTree(), 1); err == nil && len(c.More) > 0 {
			got, err = compose.MergeWide(t.Context(), got, c.More.MustTree(), 1)
		}
	default:
		return ""
	}
	if err != nil || got.Digest() != want.Digest() {
		return fmt.Sprintf("by the destination's names it is another tree (%v):\n%s", err, treetest.Differences(treetest.List(got), treetest.List(want)))
	}
	return ""
}

// isWhatTheModelDoes holds compose to the model over one case. What generated
// tests print is a call of it.
func isWhatTheModelDoes(t *testing.T, c treetest.Case) {
	t.Helper()
	if what := disagreement(t, c); what != "" {
		t.Errorf("%s\n%s", what, c)
	}
}

// holds checks a law over generated cases, by as many goroutines as there are
// processors. The first case that breaks it is made small, and printed as a test.
func holds(t *testing.T, cases int, draw func(*treetest.Source) treetest.Case, broken func(treetest.Case) string) {
	t.Helper()
	started := time.Now()
	seed := uint64(1)
	if long() { // other cases each time
		seed = uint64(started.UnixNano())
	}
	var next atomic.Uint64
	var found atomic.Pointer[treetest.Case]
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for found.Load() == nil {
				n := next.Add(1)
				if n > uint64(cases) {
					return
				}
				c := draw(treetest.Seeded(seed + n))
				if broken(c) != "" {
					found.CompareAndSwap(nil, &c)
				}
			}
		})
	}
	wg.Wait()
	if f := found.Load(); f != nil {
		c := treetest.Shrink(*f, func(c treetest.Case) bool { return broken(c) != "" })
		t.Fatalf("%s\n\n%s", broken(c), c.Test())
	}
	took := time.Since(started)
	t.Logf("%d cases from seed %d in %v: %.0f a second", cases, seed, took.Round(time.Millisecond), float64(cases)/took.Seconds())
}

func TestEveryOperationIsWhatTheModelDoes(t *testing.T) {
	n := 10_000
	if long() {
		n = 1_000_000
	}
	holds(t, n,
		func(s *treetest.Source) treetest.Case { return s.Case(treetest.Limits{}) },
		func(c treetest.Case) string { return disagreement(t, c) })
}

func FuzzOperations(f *testing.F) {
	for n := range 50 {
		f.Add([]byte(strings.Repeat(fmt.Sprint(n, " seed "), 40)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c := treetest.FromBytes(b).Case(treetest.Limits{})
		if what := disagreement(t, c); what != "" {
			c = treetest.Shrink(c, func(c treetest.Case) bool { return disagreement(t, c) != "" })
			t.Fatalf("%s\n\n%s", disagreement(t, c), c.Test())
		}
	})
}
